"""The demo's audit finds every picodollar that billing and booking do not share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.cli.demo.audit import DIRECT, Audit, audit, bills
from pointsman_operator.cli.demo.calls import Call
from pointsman_operator.cli.demo.entry import conclude
from pointsman_operator.cli.demo.epsilon import CUT_TOKENS, TOKEN_BYTES, Terms, epsilon, most
from pointsman_operator.cli.demo.story import Story
from support.tree import ROOT

TERMS = Terms(input=100, cached_input=10, output=1000, context_window=8192, max_output_tokens=512)
SENT_BYTES = 50
PUBLISHED = (SENT_BYTES * 100 + (40 + CUT_TOKENS) * 1000) - (10 + 1000)
"""The epsilon of `call`: 40 bytes came in chunks of 8."""


def call(request_id: str) -> Call:
    """A call that was answered with forty bytes, however it ended."""
    made = Call("question", "auto", stream=True, team="support")
    made.request_id, made.model = request_id, "main/mini"
    made.sent_bytes, made.pieces = SENT_BYTES, ["x" * 8] * 5
    return made


def record(cost: int, attempts: int = 1) -> dict[str, Any]:
    """What the hub has of a call."""
    return {"cost": cost, "attempts": [{}] * attempts}


def bill(folder: Path, *lines: dict[str, Any]) -> Path:
    """A simulator's bill."""
    path = folder / "bill.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(attempt: str, cost: int, *, end: bool) -> dict[str, Any]:
    """One line of it; costs are cumulative."""
    return {"id": attempt, "cost": cost, "end": end}


def held(folder: Path, lines: list[dict[str, Any]], booked: dict[str, Any], **totals: int) -> Audit:
    """The audit of one call, `pm-1`."""
    found = bills([bill(folder, *lines)])
    return audit([call("pm-1")], {"pm-1": booked}, found, {"main/mini": TERMS}, **totals)


def test_a_call_that_ended_must_be_booked_exactly(tmp_path: Path) -> None:
    """The last cumulative line counts; a picodollar more or less is found."""
    lines = [line("pm-1.1", 500, end=False), line("pm-1.1", 900, end=True)]
    assert held(tmp_path, lines, record(900), ledger=900, unconfirmed=0).problems == []
    for booked in (899, 901):
        found = held(tmp_path, lines, record(booked), ledger=booked, unconfirmed=0)
        assert any("(ended)" in problem for problem in found.problems), booked


def cut(folder: Path, *, billed: int, booked: int, ledger: int) -> Audit:
    """The audit of one cut call: its bill, its record, and what the ledger holds for it."""
    lines = [line("pm-1.1", billed, end=False)]
    return held(folder, lines, record(booked), ledger=ledger, unconfirmed=0)


@pytest.mark.parametrize("booked", [9_000, 40_000, 9_000 + PUBLISHED])
def test_a_cut_call_lies_between_its_bill_and_the_epsilon(tmp_path: Path, booked: int) -> None:
    """From the bill itself up to the published epsilon above it, everything holds."""
    good = cut(tmp_path, billed=9_000, booked=booked, ledger=booked)
    assert good.problems == []
    assert (good.cut.epsilon, good.ledger_of_cut) == (PUBLISHED, booked)


@pytest.mark.parametrize("booked", [8_999, 9_000 + PUBLISHED + 1])
def test_a_falsified_record_and_ledger_are_found(tmp_path: Path, booked: int) -> None:
    """The epsilon does not move with what was booked, however well record and ledger agree."""
    found = cut(tmp_path, billed=9_000, booked=booked, ledger=booked)
    assert any("(cut)" in problem for problem in found.problems)
    assert any("published epsilon" in problem for problem in found.problems)
    assert found.cut.epsilon == PUBLISHED


@pytest.mark.parametrize("ledger", [8_999, 9_000 + PUBLISHED + 1])
def test_a_falsified_ledger_is_found(tmp_path: Path, ledger: int) -> None:
    """A total that left the published bounds fails, though every record is right."""
    found = cut(tmp_path, billed=9_000, booked=40_000, ledger=ledger)
    assert any("published epsilon" in problem for problem in found.problems)


@pytest.mark.parametrize("billed", [40_001, 40_000 - PUBLISHED - 1])
def test_a_falsified_bill_is_found(tmp_path: Path, billed: int) -> None:
    """A bill above what was booked, or one so low that the epsilon cannot explain it."""
    found = cut(tmp_path, billed=billed, booked=40_000, ledger=40_000)
    assert any("published epsilon" in problem for problem in found.problems)


def test_what_does_not_add_up_ends_in_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ledger, bill and epsilon of cut calls are told, and the exit status says whether they met."""
    for ledger, status in ((40_000, 0), (9_000 + PUBLISHED + 1, 1)):
        story = Story(0.0)
        story.audit = cut(tmp_path, billed=9_000, booked=ledger, ledger=ledger)
        story.problems = story.audit.problems
        assert conclude(story, tmp_path / "demo.html", as_json=True) == status
        books = json.loads(capsys.readouterr().out)["books"]
        assert books["ledger_of_cut"] == ledger
        assert (books["cut"]["billed"], books["cut"]["epsilon"]) == (9_000, PUBLISHED)
        page = (tmp_path / "demo.html").read_text()
        for figure in (9_000, ledger, PUBLISHED):
            assert f"{figure:,}" in page


def test_the_epsilon_is_the_published_rule() -> None:
    """The engine's bounds are the ones that the contract names; escapes and caps count."""
    limits = (ROOT / "sidecar/engine/core/src/limits.rs").read_text()
    assert f"pub const TOKEN_BYTES: u64 = {TOKEN_BYTES};" in limits
    assert f"pub const CUT_TOKENS: u64 = {CUT_TOKENS};" in limits
    one = call("pm-1")
    one.pieces = ['"\n\u20ac']
    assert most(one, TERMS) == SENT_BYTES * 100 + (2 + 2 + 3 + CUT_TOKENS) * 1000
    one.pieces = ["x" * 4096]
    assert most(one, TERMS) == SENT_BYTES * 100 + TERMS.max_output_tokens * 1000
    assert epsilon(one, TERMS) == most(one, TERMS) - (10 + 6 * 1000)


def test_an_attempt_given_up_is_unconfirmed_money(tmp_path: Path) -> None:
    """The first attempt's bill is no part of what the call cost, but must be held back."""
    lines = [line("pm-1.1", 70, end=False), line("pm-1.2", 900, end=True)]
    good = held(tmp_path, lines, record(900, attempts=2), ledger=900, unconfirmed=70)
    assert good.problems == []
    assert good.abandoned.billed == 70
    bad = held(tmp_path, lines, record(900, attempts=2), ledger=900, unconfirmed=69)
    assert any("given up" in problem for problem in bad.problems)


def test_the_totals_must_meet(tmp_path: Path) -> None:
    """Money in the ledger that no call explains is found, and so is a bill that nobody booked."""
    lines = [line("pm-1.1", 900, end=True)]
    assert held(tmp_path, lines, record(900), ledger=901, unconfirmed=0).problems
    lines.append(line("pm-2.1", 5, end=True))
    assert held(tmp_path, lines, record(900), ledger=900, unconfirmed=0).problems
    assert held(tmp_path, lines, record(900), ledger=905, unconfirmed=0).problems == []


def test_a_call_without_a_record_is_found(tmp_path: Path) -> None:
    """What nobody can explain does not pass."""
    found = audit([call("pm-9")], {}, bills([bill(tmp_path)]), {}, ledger=0, unconfirmed=0)
    assert found.problems == ["no record of pm-9"]


def test_calls_past_pointsman_are_not_on_our_bill(tmp_path: Path) -> None:
    """The direct half of the latency pairs is the simulator's business alone."""
    path = bill(tmp_path, line(f"{DIRECT}1.1", 5, end=True), line("pm-1.1", 7, end=True))
    assert list(bills([path])) == ["pm-1.1"]


@pytest.mark.parametrize("ended", [True, False])
def test_an_end_is_not_forgotten(tmp_path: Path, *, ended: bool) -> None:
    """Whichever line says that the answer was sent whole, the attempt has ended."""
    path = bill(tmp_path, line("pm-1.1", 5, end=ended), line("pm-1.1", 5, end=False))
    assert bills([path])["pm-1.1"].ended is ended
