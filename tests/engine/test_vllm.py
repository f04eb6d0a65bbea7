"""A real vLLM's recorded words as an upstream: its own formats byte for byte, others by sense.

No simulator of ours stands between: the answers are those of tests/engine/vllm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.every_format import READER, of_format, write_keys
from support.played_back import PlayedBack, played_back
from support.processes import Sidecar, ended
from support.surfaces import SURFACES, Surface, events_of
from support.tables import model, table
from support.tree import ROOT

WIRE: list[dict[str, Any]] = json.loads((ROOT / "tests/engine/vllm/wire.json").read_text())
ANSWERED = [it for it in WIRE if it["status"] == httpx.codes.OK and it["name"] != "cut_by_client"]
OF_CHAT = [
    it for it in ANSWERED if it["path"] == "/v1/chat/completions" and it["name"] != "n2_stream"
]
REFUSED = {
    "unknown_model": ("ModelGone", 502),
    "context": ("ContextTooLong", 400),
    "max_tokens_too_large": ("ContextTooLong", 400),  # a model with a larger window may take it
    "bad_json": ("BadRequest", 400),
    "no_messages": ("BadRequest", 400),
    "bad_temperature": ("BadRequest", 400),
    "embeddings": ("ModelGone", 502),
}
"""What each of its errors means, and what a caller gets of it."""
CHAT = SURFACES[0]
MARK = re.compile(r'(?<=[0-9a-z])_pm[0-9a-hjkmnp-tv-z]{8}(?=")')
"""Says in an id of Responses who keeps what it names (contracts.md 6)."""


@dataclass(frozen=True)
class World:
    """A sidecar before it."""

    vllm: PlayedBack
    sidecar: Sidecar
    http: httpx.Client

    def ask(self, path: str, body: Any, recorded: dict[str, Any]) -> httpx.Response:
        """Our answer while vLLM gives the recorded one."""
        self.vllm.say(recorded["status"], recorded["type"], recorded["body"].encode())
        return self.http.post(path, json=body)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """`m` speaks vLLM's OpenAI formats, `claude` its Messages."""
    with played_back() as vllm:
        speaks = {"model": "m", "surfaces": ["Completions", "Responses"]}
        patient = {"maxAttempts": 1, "budgetPercent": 0, "minPerSecond": 0}
        models = [
            model("m", vllm.url, provider=speaks),
            model("chat", vllm.url, provider={"model": "m"}),
            of_format("claude", vllm.url, "Anthropic"),
        ]
        rules = [
            {
                "name": name,
                "when": {"models": [name]},
                "route": {
                    "strategy": "Failover",
                    "candidates": [{"model": f"main/{name}"}],
                    "retries": patient,
                },
            }
            for name in ("m", "chat", "claude")
        ]
        folder = tmp_path_factory.mktemp("vllm")
        write_keys(folder)
        sidecar = Sidecar(folder, table(models, rules, minReader=READER))
        with ended(sidecar), httpx.Client(base_url=sidecar.url, timeout=30) as http:
            yield World(vllm, sidecar, http)


@pytest.mark.parametrize("recorded", ANSWERED, ids=lambda it: it["name"])
def test_its_own_formats_pass_byte_for_byte(world: World, recorded: dict[str, Any]) -> None:
    """Nothing changes but the request's model, what asks for usage, and the mark on kept ids."""
    anthropic = recorded["path"].startswith("/v1/messages")
    asked = recorded["request"] | {"model": "claude" if anthropic else "m"}
    answer = world.ask(recorded["path"], asked, recorded)
    assert answer.status_code == httpx.codes.OK
    assert MARK.sub("", answer.text) == recorded["body"]
    path, body = world.vllm.asked[-1]
    assert path == recorded["path"]
    sent = json.loads(body)
    if sent.get("stream") and path in ("/v1/chat/completions", "/v1/completions"):
        assert sent.pop("stream_options")["include_usage"] is True
        recorded = recorded | {"request": dict(recorded["request"])}
        recorded["request"].pop("stream_options", None)
    upstream = "claude-2026" if anthropic else "m"
    assert sent == recorded["request"] | {"model": upstream}


@pytest.mark.parametrize("surface", SURFACES[1:], ids=lambda it: it.name)
@pytest.mark.parametrize("recorded", OF_CHAT, ids=lambda it: it["name"])
def test_its_chat_is_told_on_every_other_surface(
    world: World, recorded: dict[str, Any], surface: Surface
) -> None:
    """Same text, a proper end, and its tokens in the record."""
    stream = bool(recorded["request"].get("stream"))
    answer = world.ask(surface.path("chat", stream), surface.body("chat", stream), recorded)
    wanted = said(CHAT, recorded["body"], stream=stream)
    if "tool_named" in recorded["name"]:
        assert "get_weather" in answer.text or surface.name == "Completions"
        return
    assert answer.status_code == httpx.codes.OK, answer.text
    assert said(surface, answer.text, stream=stream) == wanted
    if stream:
        assert surface.mark(events_of(answer.content)), answer.text


def said(surface: Surface, text: str, *, stream: bool) -> str:
    """The text of an answer."""
    return surface.text(events_of(text.encode())) if stream else surface.said(json.loads(text))


@pytest.mark.parametrize("surface", SURFACES, ids=lambda it: it.name)
def test_its_recording_that_was_cut_looks_whole_nowhere(world: World, surface: Surface) -> None:
    """The caller of that recording had left: what vLLM sent until then has no end."""
    (recorded,) = [it for it in WIRE if it["name"] == "cut_by_client"]
    world.vllm.say(200, recorded["type"], recorded["body"].encode())
    raw, broken = b"", False
    try:
        with world.http.stream(
            "POST", surface.path("chat", True), json=surface.body("chat", True)
        ) as answer:
            for piece in answer.iter_raw():
                raw += piece
    except httpx.RemoteProtocolError:
        broken = True
    assert broken
    events = events_of(raw)
    assert surface.told(events), raw
    assert not surface.mark(events), raw


@pytest.mark.parametrize("surface", SURFACES, ids=lambda it: it.name)
@pytest.mark.parametrize("name", REFUSED)
def test_each_of_its_errors_has_its_class(world: World, name: str, surface: Surface) -> None:
    """The class is in the record; the caller gets its own surface's error with the right status."""
    (recorded,) = [it for it in WIRE if it["name"] == name]
    answer = world.ask(surface.path("chat", False), surface.body("chat", False), recorded)
    label, status = REFUSED[name]
    assert answer.status_code == status, answer.text
    assert surface.error(answer.json()), answer.text
    record = world.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert (record["class"], record["outcome"]) == (label, "failed")
