"""I9: a stream that did not end properly upstream never looks complete downstream."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.line import Line, Streamed, asked, line
from support.tables import model, route, table

TEXT = "the quick brown fox jumps over the lazy dog"
OPTIONS = {"include_usage": True}
CUTS = ("reset", "eof", "end")


def build(made: Line) -> dict[str, Any]:
    """One provider, no second chance."""
    retries = {"maxAttempts": 1, "budgetPercent": 0, "minPerSecond": 0}
    timeouts = {"firstTokenMs": 500, "streamIdleMs": 300, "totalMs": 20_000}
    only = route("a", retries=retries, timeouts=timeouts)
    eof = model("eof", made.url("a"), provider={"model": "a-2026", "streamEnd": "Eof"})
    rules = [{"name": "all", "when": {"models": ["auto"]}, "route": only}]
    return table([model("a", made.url("a")), eof], rules)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line of one provider."""
    with line(tmp_path_factory.mktemp("cuts"), "a", build=build) as made:
        yield made


def recorded(made: Line, **action: Any) -> bytes:
    """The provider's stream as it sends it itself."""
    made.script("a", {"text": TEXT, **action})
    body = asked(stream=True, stream_options=OPTIONS, model="a-2026")
    return httpx.post(f"{made.url('a')}/v1/chat/completions", json=body).content


def check(seen: Streamed, where: str) -> str:
    """Complete with all its text, refused before it began, or visibly broken; nothing between."""
    if seen.status != 200:
        assert seen.status in {502, 504}, where
        assert b'"error"' in seen.raw, where
        return "refused"
    if seen.done:
        assert seen.text == TEXT, where
        return "complete"
    assert seen.error is not None, f"{where}: no error event in {seen.raw!r}"
    assert seen.broken, f"{where}: the body ended as if it were whole"
    assert "[DONE]" not in seen.events, where
    assert TEXT.startswith(seen.text), where
    return "cut"


@pytest.mark.parametrize("cut", CUTS)
def test_i9_a_cut_at_any_offset_never_looks_complete(single: Line, cut: str) -> None:
    """Event boundaries and one byte beside them, and seeded offsets: no silent success."""
    whole = recorded(single)
    edges = [at for at in range(len(whole)) if whole[:at].endswith(b"\n\n")]
    around = {at + beside for at in [*edges, len(whole)] for beside in (-1, 0, 1)}
    seeded = random.Random(9).sample(range(len(whole)), 30)
    verdicts = {}
    for at in sorted((around | set(seeded)) & set(range(1, len(whole)))):
        single.script("a", {"text": TEXT, "cutAtByte": at, "cut": cut})
        verdicts[at] = check(single.stream(stream_options=OPTIONS), f"{cut} at byte {at}")
    assert set(verdicts.values()) >= {"refused", "cut"}
    done = whole.index(b"data: [DONE]") + len(b"data: [DONE]")
    early = [at for at, verdict in verdicts.items() if verdict == "complete" and at < done]
    assert early == []


@pytest.mark.parametrize("kind", ["garbageAtEvent", "errorAtEvent", "stallAtEvent"])
def test_i9_garbage_errors_and_stalls_at_any_event(single: Line, kind: str) -> None:
    """Whatever happens at whichever event, the caller is told."""
    events = recorded(single).count(b"\n\n")
    verdicts = []
    for at in range(events):
        single.script("a", {"text": TEXT, kind: at})
        verdicts.append(check(single.stream(stream_options=OPTIONS), f"{kind} {at}"))
    assert verdicts[0] == "refused"
    assert verdicts[-1] == "cut"
    assert "complete" not in verdicts


def test_i9_no_done_is_a_cut_unless_the_profile_ends_by_eof(single: Line) -> None:
    """Without `[DONE]` a stream is broken, but for a profile that ends by EOF."""
    single.script("a", {"text": TEXT, "noDone": True})
    assert check(single.stream(), "no [DONE]") == "cut"
    seen = single.stream(model="eof")
    assert (seen.broken, seen.error, seen.text) == (False, None, TEXT)
    single.script("a", {"text": TEXT, "noDone": True, "cutAtEvent": 4, "cut": "end"})
    seen = single.stream(model="eof")
    assert seen.error is not None
    assert seen.broken


def test_i9_holds_under_odd_framing_and_compression(single: Line) -> None:
    """CRLF, comments, seven-byte pieces and gzip change neither the whole nor the cut."""
    for odd in (
        {"crlf": True},
        {"comments": True},
        {"chunkBytes": 7},
        {"compress": "gzip"},
        {"crlf": True, "comments": True, "chunkBytes": 1},
    ):
        single.script("a", {"text": TEXT, **odd})
        assert check(single.stream(), str(odd)) == "complete"
        single.script("a", {"text": TEXT, "garbageAtEvent": 5, **odd})
        assert check(single.stream(), str(odd)) == "cut"


def test_a_cut_call_is_recorded_as_cut_and_booked(single: Line) -> None:
    """Outcome, class of the call and of its attempt, and a price at or above what arrived."""
    single.script("a", {"text": TEXT, "cutAtEvent": 6})
    seen = single.stream()
    record = single.sidecar.record(seen.request_id)
    assert (record["outcome"], record["class"], record["status"]) == ("cut", "MidStream", 200)
    assert record["attempts"][-1]["class"] == "MidStream"
    assert record["attempts"][-1]["upstream_id"].startswith("chatcmpl-")
    assert record["usage"]["source"] == "estimated"
    billed = single.providers["a"].bill()[f"{seen.request_id}.1"]
    assert record["usage"]["output"] >= billed["output"] > 0
    assert single.sidecar.state()["in_flight"] == 0


def test_a_stream_that_goes_silent_is_cut_at_the_idle_limit(single: Line) -> None:
    """Between events the limit holds; a slow but living stream goes on."""
    single.script("a", {"text": TEXT, "stallAtEvent": 5})
    seen = single.stream()
    assert check(seen, "stall") == "cut"
    assert seen.error is not None
    assert "stalled" in seen.error["message"]
    single.script("a", {"text": TEXT, "tokensPerSecond": 15})
    assert check(single.stream(), "slow") == "complete"
