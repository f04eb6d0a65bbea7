"""A whole line for tests: a simulated provider each model and a sidecar that routes to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from support.eventually import eventually
from support.processes import Sidecar, Simulator, ended
from support.tables import model, table

Build = Callable[["Line"], dict[str, Any] | None]

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


@dataclass
class Streamed:
    """What a caller saw of a stream: `broken` says that the body was aborted."""

    status: int
    headers: httpx.Headers
    raw: bytes
    broken: bool

    @property
    def events(self) -> list[str]:
        """The data of each event."""
        lines = self.raw.decode().replace("\r\n", "\n").split("\n\n")
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The events that are JSON."""
        return [json.loads(event) for event in self.events if event != "[DONE]"]

    @property
    def text(self) -> str:
        """The content of all deltas."""
        choices = [choice for chunk in self.chunks for choice in chunk.get("choices", [])]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def error(self) -> dict[str, Any] | None:
        """The error event, if one came."""
        found: list[dict[str, Any]] = [chunk["error"] for chunk in self.chunks if "error" in chunk]
        return found[0] if found else None

    @property
    def done(self) -> bool:
        """Whether it looks complete to a caller."""
        return self.events[-1:] == ["[DONE]"] and not self.broken

    @property
    def request_id(self) -> str:
        """Ours."""
        return str(self.headers["x-pointsman-request-id"])


@dataclass
class Captured:
    """A request as a provider received it."""

    head: dict[str, Any]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; a repeated one shows its last value."""
        return {name.lower(): value for name, value in self.head["headers"]}


@dataclass
class Line:
    """Providers by model name, the sidecar, and a client of it."""

    folder: Path
    providers: dict[str, Simulator]
    sidecar: Sidecar = field(init=False)
    http: httpx.Client = field(init=False)

    def url(self, name: str) -> str:
        """Where a model's provider is."""
        return self.providers[name].url

    def chat(self, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """A plain call; `model` is `auto` unless said."""
        return self.http.post("/v1/chat/completions", json=asked(**body), headers=headers)

    def stream(self, headers: dict[str, str] | None = None, **body: Any) -> Streamed:
        """A streamed call, read to its end however it ends."""
        asking = self.http.stream(
            "POST", "/v1/chat/completions", json=asked(stream=True, **body), headers=headers
        )
        with asking as answer:
            raw, broken = b"", False
            try:
                for piece in answer.iter_raw():
                    raw += piece
            except httpx.RemoteProtocolError:
                broken = True
            return Streamed(answer.status_code, answer.headers, raw, broken)

    def script(self, name: str, *actions: dict[str, Any], **match: Any) -> None:
        """What a provider does from now on, as `do` documents; none: it is healthy."""
        rules = [{"match": match, "do": action} for action in actions]
        self.providers[name].script(*rules)

    def captured(self, name: str) -> list[Captured]:
        """The requests of one provider, in order."""
        heads = sorted((self.folder / f"{name}.capture").glob("*.head.json"))
        return [
            Captured(
                json.loads(head.read_text()),
                head.with_name(head.name.replace("head.json", "body")).read_bytes(),
            )
            for head in heads
        ]

    def swap(self, document: dict[str, Any]) -> str:
        """Put a table in force and return its digest."""
        before = self.sidecar.state()["digest"]
        self.sidecar.write_table(document)
        eventually(lambda: self.sidecar.state()["digest"] != before)
        return str(self.sidecar.state()["digest"])

    def idle(self) -> bool:
        """No call is in flight, here or at a provider."""
        open_calls = [provider.stats()["open"] for provider in self.providers.values()]
        return self.sidecar.state()["in_flight"] == 0 and not any(open_calls)


def asked(text: str = "Say hello.", **more: Any) -> dict[str, Any]:
    """The body of a chat call."""
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


def route_all(line: Line) -> dict[str, Any]:
    """A table whose `auto` goes to all providers in order, failing over."""
    return table([model(name, line.url(name)) for name in line.providers])


@contextmanager
def line(
    folder: Path,
    *names: str,
    build: Build = route_all,
    config: dict[str, Any] | None = None,
    program: Sequence[str | Path] = ("-m", "pointsman_sidecar"),
    **variables: str,
) -> Iterator[Line]:
    """Start one provider a name and a sidecar over them; `variables` go to the sidecar."""
    with ExitStack() as stack:
        made = Line(folder, {})
        for name in names or ("a", "b"):
            capture = {"capture": str(folder / f"{name}.capture")}
            provider = Simulator(folder, name, **capture, **(config or {}))
            stack.enter_context(ended(provider))
            made.providers[name] = provider
        made.sidecar = Sidecar(folder, build(made), program=program, **variables)
        stack.enter_context(ended(made.sidecar))
        client = httpx.Client(base_url=made.sidecar.url, limits=LIMITS, timeout=30)
        made.http = stack.enter_context(client)
        yield made
