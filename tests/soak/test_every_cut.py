"""I9 in full: every byte of every provider's stream, cut in each way, read on every surface."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.every_format import FORMATS, READER, of_format, write_keys
from support.line import Line, line
from support.surfaces import SURFACES, Surface, events_of
from support.tables import route, table

TEXT = "the quick brown fox jumps over the lazy dog"
CUTS = ("reset", "eof", "end")
ALONE = {"maxAttempts": 1, "budgetPercent": 0, "minPerSecond": 0}
QUICK = {"firstTokenMs": 2_000, "streamIdleMs": 2_000, "totalMs": 20_000}
MOST_BYTES = 64_000
"""Of a stream of this text, in any format; a cut there is no cut."""


def _table(made: Line) -> dict[str, Any]:
    write_keys(made.folder)
    kinds = {kind.lower(): kind for kind in FORMATS}
    models = [of_format(name, made.url("a"), kind) for name, kind in kinds.items()]
    rules = [
        {
            "name": name,
            "when": {"models": [name]},
            "route": route(name, retries=ALONE, timeouts=QUICK),
        }
        for name in kinds
    ]
    return table(models, rules, minReader=READER)


@pytest.fixture(scope="module")
def cut_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One provider that speaks every format."""
    with line(tmp_path_factory.mktemp("cuts"), "a", build=_table) as made:
        yield made


def _ask(made: Line, surface: Surface, name: str) -> tuple[int, bytes, bool]:
    raw, broken = b"", False
    path, body = surface.path(name, True), surface.body(name, True)
    with made.http.stream("POST", path, json=body) as answer:
        try:
            for piece in answer.iter_raw():
                raw += piece
        except httpx.RemoteProtocolError:
            broken = True
    return answer.status_code, raw, broken


def _verdict(surface: Surface, status: int, raw: bytes, broken: bool) -> str:  # noqa: FBT001
    """Whole, refused before it began, or visibly cut; anything else fails the test."""
    if status != httpx.codes.OK:
        assert status in {502, 504}, raw
        return "refused"
    events = events_of(raw)
    if not broken:
        assert surface.mark(events), raw
        assert surface.text(events) == TEXT, raw
        return "whole"
    assert surface.told(events), raw
    assert not surface.mark(events[:-1]), raw
    assert TEXT.startswith(surface.text(events)), raw
    return "cut"


def _recover(made: Line, name: str) -> None:
    made.script("a", {"text": TEXT})
    assert made.chat(model=name).status_code == httpx.codes.OK


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("surface", SURFACES, ids=lambda it: it.name)
def test_i9_no_cut_at_any_byte_looks_complete(
    cut_line: Line, surface: Surface, kind: str, cut: str
) -> None:
    """From the first byte to the last: once a cut leaves the stream whole, every later one does."""
    name = kind.lower()
    verdicts: list[str] = []
    for at in range(1, MOST_BYTES):
        if at % 4 == 1:
            # Failures in a row open the breaker, which would answer in the provider's place.
            _recover(cut_line, name)
        cut_line.script("a", {"text": TEXT, "cutAtByte": at, "cut": cut})
        verdicts.append(_verdict(surface, *_ask(cut_line, surface, name)))
        if verdicts[-1] == "whole" and verdicts[-40:] == ["whole"] * 40:
            break
    order = [verdict for verdict, _ in itertools.groupby(verdicts)]
    assert order == ["refused", "cut", "whole"]


@pytest.mark.soak
def test_uncut_every_pair_is_whole(cut_line: Line) -> None:
    """What the runs above rest on."""
    for kind in FORMATS:
        _recover(cut_line, kind.lower())
        for surface in SURFACES:
            assert _verdict(surface, *_ask(cut_line, surface, kind.lower())) == "whole"
