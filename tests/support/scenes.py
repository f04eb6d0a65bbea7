"""What a provider does, scene by scene, written once and rendered for two unrelated simulators.

A scene is asked for by its model's name, so one running simulator plays them all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LONG_TEXT = "The points are set and the train passes. " * 12
CUT_TEXT = "The line is broken behind this signal, and nobody may call that an arrival."
PERSON = '{"name":"Ada","born":1815}'


@dataclass(frozen=True)
class Scene:
    """One behaviour; `name` is the model in the route table, `NAME-2026` the one upstream."""

    name: str
    text: str = "The answer is forty-two."
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    status: int = 200
    error: tuple[str, str, str | None] = ("", "", None)
    """Message, type and code of an answer other than 200."""
    first_token_ms: int = 0
    delta_ms: int = 0
    """Between two deltas of a stream."""
    delay_ms: int = 0
    """Before anything is answered."""
    vector: tuple[float, ...] = ()
    """Of aimock's embeddings; our simulator makes its own."""
    cut_after: int | None = None
    """Events of a stream before it breaks off."""
    cut: str = "reset"
    """How it breaks off; only our own simulator knows other ways than `reset`."""

    fault: tuple[tuple[str, int | bool], ...] = ()
    """What else only our own simulator does."""

    @property
    def upstream(self) -> str:
        """The model's name at the provider."""
        return f"{self.name}-2026"

    def simulated(self) -> dict[str, Any]:
        """A rule of our simulator (docs/contracts.md, section 7)."""
        act: dict[str, Any] = {"delayMs": self.delay_ms}
        if self.status != 200:
            act |= {"status": self.status, "body": self._error()}
        elif self.calls:
            act["toolCalls"] = [{"name": name, "arguments": given} for name, given in self.calls]
        else:
            act["text"] = self.text
        if self.first_token_ms:
            act["firstTokenMs"] = self.first_token_ms
        if self.delta_ms:
            act["tokensPerSecond"] = 1000 // self.delta_ms
        if self.cut_after is not None:
            act |= {"cutAtEvent": self.cut_after, "cut": self.cut}
        act |= dict(self.fault)
        return {"match": {"model": self.upstream}, "do": act}

    def fixture(self) -> dict[str, Any]:
        """An entry of aimock's fixture file."""
        if self.vector:
            asked = {"model": self.upstream, "endpoint": "embedding"}
            return {"match": asked, "response": {"embedding": list(self.vector)}}
        entry: dict[str, Any] = {"match": {"model": self.upstream, "endpoint": "chat"}}
        if self.status != 200:
            entry["response"] = {**self._error(), "status": self.status}
        elif self.calls:
            calls = [{"name": name, "arguments": given} for name, given in self.calls]
            entry["response"] = {"toolCalls": calls}
        else:
            entry["response"] = {"content": self.text}
        if self.first_token_ms:
            entry["streamingProfile"] = {"ttft": self.first_token_ms}
        if self.delta_ms:
            entry |= {"latency": self.delta_ms, "chunkSize": 4}
        if self.delay_ms:
            entry["chaos"] = {"latencyMs": self.delay_ms}
        if self.cut_after is not None:
            # Without a pause node has not even sent the headers when it destroys the socket.
            entry |= {"truncateAfterChunks": self.cut_after, "latency": 20, "chunkSize": 8}
        return entry

    def _error(self) -> dict[str, Any]:
        message, kind, code = self.error
        error = {"message": message, "type": kind}
        return {"error": error if code is None else error | {"code": code}}


WEATHER = ("get_weather", {"city": "Paris"})
TIME = ("get_time", {"zone": "Europe/Paris"})
DOWN = ("The server had an error.", "server_error", None)
BUSY = ("Slow down.", "rate_limit_error", "rate_limit_exceeded")

SCENES = (
    Scene("plain"),
    Scene("tools", calls=(WEATHER,)),
    Scene("parallel", calls=(WEATHER, TIME)),
    Scene("structured", text=PERSON),
    Scene("vision", text="A red square."),
    Scene("embedder", vector=(0.5, -0.25, 0.125)),
    Scene(
        "mistaken",
        status=400,
        error=("temperature must be at most 2.", "invalid_request_error", "invalid_value"),
    ),
    Scene("broken", status=500, error=DOWN),
    Scene("failing", status=500, error=DOWN),
    Scene("failing-too", status=500, error=DOWN),
    Scene("retried", status=500, error=DOWN),
    Scene("busy", status=429, error=BUSY),
    Scene("late", first_token_ms=20_000, delay_ms=20_000),
    Scene("patient", text=LONG_TEXT, delta_ms=100),
    Scene("patient-async", text=LONG_TEXT, delta_ms=100),
    Scene("cut", text=CUT_TEXT, cut_after=4),
    Scene("cut-async", text=CUT_TEXT, cut_after=4),
)
"""Played by both simulators."""

CUTS = tuple(
    Scene(f"cut-{cut}-{events}", text=CUT_TEXT, cut_after=events, cut=cut)
    for cut in ("reset", "eof", "end")
    for events in (0, 1, 2, 3, 6)
)
"""Every way of breaking off; only our own simulator can."""

BROKEN_STREAMS = (
    Scene("stalled", text=CUT_TEXT, fault=(("stallAtEvent", 4),)),
    Scene("garbled", text=CUT_TEXT, fault=(("garbageAtEvent", 4),)),
    Scene("erring", text=CUT_TEXT, fault=(("errorAtEvent", 4),)),
    Scene("unended", text=CUT_TEXT, fault=(("noDone", True),)),
)
"""Streams that go wrong without breaking off; only our own simulator can."""
