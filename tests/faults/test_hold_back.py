"""A stream's beginning that is held back: what breaks there is tried elsewhere, unseen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.every_format import FORMATS, of_format, write_keys
from support.line import Line, asked, line
from support.surfaces import SURFACES, Surface, events_of
from support.tables import model, route, table

READER = 5
TEXT = "the quick brown fox jumps over the lazy dog"
QUICK = {"firstTokenMs": 500, "streamIdleMs": 300, "totalMs": 20_000}
ONCE = {"maxAttempts": 3, "budgetPercent": 0, "minPerSecond": 0}
FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"cutAtEvent": 4, "cut": "reset"},
    "no last chunk": {"cutAtEvent": 4, "cut": "eof"},
    "clean, too early": {"cutAtEvent": 4, "cut": "end"},
    "stalls": {"stallAtEvent": 4},
    "garbage": {"garbageAtEvent": 4},
    "its own error": {"errorAtEvent": 4},
}


def build(made: Line) -> dict[str, Any]:
    """`openai` and so on: held back whole, with a spare; `part`, `soon`: a part of `a` alone."""
    write_keys(made.folder)
    kinds = {kind.lower(): kind for kind in FORMATS}
    models = [of_format(name, made.url("a"), kind) for name, kind in kinds.items()]
    models += [model("part", made.url("a")), model("spare", made.url("b"))]
    more: dict[str, Any] = {"timeouts": QUICK, "retries": ONCE}
    routes = {name: route(name, "spare", holdBack={"tokens": 200}, **more) for name in kinds}
    routes["part"] = route("part", "spare", holdBack={"tokens": 5}, **more)
    routes["soon"] = route("part", "spare", holdBack={"ms": 400}, **more)
    rules = [{"name": name, "when": {"models": [name]}, "route": to} for name, to in routes.items()]
    return table(models, rules, minReader=READER)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One provider in every format, and a spare one."""
    with line(tmp_path_factory.mktemp("held"), "a", "b", build=build) as made:
        made.script("b", {"text": TEXT})
        yield made


def streamed(made: Line, surface: Surface, name: str) -> tuple[httpx.Response, bytes]:
    """One stream, which must be whole."""
    path, body = surface.path(name, True), surface.body(name, True)
    with made.http.stream("POST", path, json=body) as answer:
        return answer, b"".join(answer.iter_raw())


def recover(made: Line, name: str) -> None:
    """The next call finds the provider's breaker closed."""
    made.script("a", {"text": TEXT})
    answer, _ = streamed(made, SURFACES[0], f"main/{name}")
    assert answer.status_code == 200


@pytest.mark.parametrize("name", [kind.lower() for kind in FORMATS])
@pytest.mark.parametrize("fault", FAULTS)
def test_i9_a_break_in_what_is_held_back_is_not_seen(held: Line, fault: str, name: str) -> None:
    """On every surface the spare's answer comes, whole and alone; the first one may be billed."""
    for surface in SURFACES:
        held.script("a", {"text": TEXT, **FAULTS[fault]}, model=f"{name}-2026")
        answer, raw = streamed(held, surface, name)
        where = f"{surface.name}: {raw!r}"
        assert answer.status_code == 200, where
        events = events_of(raw)
        assert surface.mark(events), where
        assert surface.text(events) == TEXT, where
        assert answer.headers["x-pointsman-model"] == "main/spare", where
        record = held.sidecar.record(answer.headers["x-pointsman-request-id"])
        assert record["outcome"] == "ok"
        first, last = record["attempts"]
        assert (first["model"], last["class"]) == (f"main/{name}", "ok")
        assert first["class"] not in {"ok", "MidStream"}
        recover(held, name)


def pieces(made: Line, name: str) -> list[tuple[float, str]]:
    """When each piece of a stream came, seconds since the request, and its text."""
    body = asked(stream=True, model=name)
    began = time.monotonic()
    with made.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        came = [(time.monotonic() - began, piece) for piece in answer.iter_raw()]
    return [(at, SURFACES[0].text(events_of(piece))) for at, piece in came]


def test_so_many_tokens_come_at_once_and_the_rest_as_ever(held: Line) -> None:
    """Five tokens are about twenty bytes; what breaks behind them is a cut."""
    held.script("a", {"text": TEXT, "tokensPerSecond": 20}, model="part-2026")
    came = pieces(held, "part")
    assert "".join(text for _, text in came) == TEXT
    at_once = "".join(text for at, text in came if at < came[0][0] + 0.02)
    assert TEXT.startswith(at_once)
    assert 16 <= len(at_once) < len(TEXT) - 8
    assert len(came) > 3
    held.script("a", {"text": TEXT, "cutAtEvent": 8}, model="part-2026")
    seen = held.stream(model="part")
    assert seen.error is not None
    assert seen.broken
    record = held.sidecar.record(seen.request_id)
    assert (record["outcome"], len(record["attempts"])) == ("cut", 1)
    recover(held, "part")


def test_so_long_it_is_held_and_no_longer(held: Line) -> None:
    """400 ms after its first content it goes down, however little has come."""
    held.script("a", {"text": TEXT, "tokensPerSecond": 10}, model="part-2026")
    came = pieces(held, "soon")
    assert "".join(text for _, text in came) == TEXT
    assert 0.4 <= came[0][0] < 0.9
    assert len(came) > 2
    quick = {"text": TEXT}
    held.script("a", quick, model="part-2026")
    assert pieces(held, "soon")[0][0] < 0.3, "an answer that has ended is not held"
