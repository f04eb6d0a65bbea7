"""Every surface before an outside simulator's every format: no fake of ours says what is right.

npm's `@copilotkit/aimock` shares no line with us. What its provider half takes is checked there
too: it refuses what no fixture was made for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.every_format import FORMATS, READER, of_format, write_keys
from support.processes import Sidecar, ended
from support.scenes import SCENES
from support.surfaces import SURFACES, Surface, events_of
from support.tables import table
from support.upstreams import Aimock

ANSWER = "The answer is forty-two."
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOLS: dict[str, dict[str, Any]] = {
    "Chat Completions": {
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
    },
    "Responses": {"tools": [{"type": "function", "name": "get_weather", "parameters": SCHEMA}]},
    "Anthropic Messages": {"tools": [{"name": "get_weather", "input_schema": SCHEMA}]},
    "Gemini": {
        "tools": [{"functionDeclarations": [{"name": "get_weather", "parameters": SCHEMA}]}]
    },
}
"""The same tool in each surface's words; older completions have none."""
NAMED = [scene for scene in SCENES if scene.name in ("plain", "tools", "failing", "busy")]


@dataclass(frozen=True)
class World:
    """The sidecar, and who asks it."""

    sidecar: Sidecar
    http: httpx.Client

    def ask(self, surface: Surface, name: str, *, stream: bool, **more: Any) -> httpx.Response:
        """One call, read to its end."""
        body = surface.body(name, stream) | more
        return self.http.post(surface.path(name, stream), json=body)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """`openai-plain`, `bedrock-tools` and so on, each spoken to in its format."""
    folder = tmp_path_factory.mktemp("foreign")
    upstream = Aimock(folder)
    write_keys(folder)
    models = [
        of_format(f"{kind.lower()}-{scene.name}", upstream.url, kind, scene.upstream)
        for kind in FORMATS
        for scene in NAMED
    ]
    sidecar = Sidecar(folder, table(models, [], minReader=READER))
    with ended(upstream, sidecar), httpx.Client(base_url=sidecar.url, timeout=60) as http:
        yield World(sidecar, http)


@pytest.fixture(params=FORMATS)
def kind(request: pytest.FixtureRequest) -> str:
    """What the model behind the router speaks."""
    return str(request.param).lower()


@pytest.fixture(params=SURFACES, ids=lambda it: it.name)
def surface(request: pytest.FixtureRequest) -> Surface:
    """What the caller speaks."""
    made: Surface = request.param
    return made


def test_plain(foreign: World, surface: Surface, kind: str) -> None:
    """The scripted text, whole."""
    answer = foreign.ask(surface, f"{kind}-plain", stream=False)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert surface.said(answer.json()) == ANSWER


def test_stream(foreign: World, surface: Surface, kind: str) -> None:
    """The same in pieces, with the surface's own end."""
    answer = foreign.ask(surface, f"{kind}-plain", stream=True)
    assert answer.status_code == httpx.codes.OK, answer.text
    events = events_of(answer.content)
    assert surface.text(events) == ANSWER
    assert surface.mark(events), answer.text


@pytest.mark.parametrize(
    "surface", [it for it in SURFACES if it.name in TOOLS], ids=lambda it: it.name
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_tools(foreign: World, surface: Surface, kind: str, *, stream: bool) -> None:
    """A tool's name and argument arrive in the caller's words."""
    answer = foreign.ask(surface, f"{kind}-tools", stream=stream, **TOOLS[surface.name])
    assert answer.status_code == httpx.codes.OK, answer.text
    assert "get_weather" in answer.text
    assert "Paris" in answer.text.replace("\\", "")
    assert not stream or surface.mark(events_of(answer.content)), answer.text


@pytest.mark.parametrize(("scene", "label"), [("failing", "Server"), ("busy", "RateLimit")])
def test_errors(foreign: World, surface: Surface, kind: str, scene: str, label: str) -> None:
    """Its errors, in whichever shape it gives them, have their class and the caller's words."""
    answer = foreign.ask(surface, f"{kind}-{scene}", stream=False)
    assert answer.status_code >= httpx.codes.BAD_REQUEST
    assert surface.error(answer.json()), answer.text
    record = foreign.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert record["class"] == label
