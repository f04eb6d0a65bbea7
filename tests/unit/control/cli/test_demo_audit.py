"""The demo's audit finds every picodollar that billing and booking do not share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.cli.demo.audit import DIRECT, Audit, audit, bills
from pointsman_operator.cli.demo.calls import Call

PRICES = {"input": 100, "cachedInput": 10, "output": 1000}


def call(request_id: str, text: str = "") -> Call:
    """A call that came to an answer."""
    made = Call("question", "auto", stream=True, team="support")
    made.request_id, made.text = request_id, text
    return made


def record(cost: int, attempts: int = 1) -> dict[str, Any]:
    """What the hub has of a call."""
    return {"cost": cost, "attempts": [{}] * attempts, "prices": PRICES}


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
    return audit([call("pm-1", "x" * 40)], {"pm-1": booked}, found, **totals)


def test_a_call_that_ended_must_be_booked_exactly(tmp_path: Path) -> None:
    """The last cumulative line counts; a picodollar more or less is found."""
    lines = [line("pm-1.1", 500, end=False), line("pm-1.1", 900, end=True)]
    assert held(tmp_path, lines, record(900), ledger=900, unconfirmed=0).problems == []
    for booked in (899, 901):
        found = held(tmp_path, lines, record(booked), ledger=booked, unconfirmed=0)
        assert any("(ended)" in problem for problem in found.problems), booked


def test_a_cut_call_lies_between_its_bill_and_the_epsilon(tmp_path: Path) -> None:
    """Below the bill is lost money, above the published epsilon is a broken promise."""
    lines = [line("pm-1.1", 9_000, end=False)]
    good = held(tmp_path, lines, record(40_000), ledger=40_000, unconfirmed=0)
    assert good.problems == []
    assert good.cut.epsilon == 40_000 - (10 + 1000)
    low = held(tmp_path, lines, record(8_999), ledger=8_999, unconfirmed=0)
    assert any("(cut)" in problem for problem in low.problems)
    lines = [line("pm-1.1", 500, end=False)]
    high = held(tmp_path, lines, record(40_000), ledger=40_000, unconfirmed=0)
    assert any("(cut)" in problem for problem in high.problems)


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
    found = audit([call("pm-9")], {}, bills([bill(tmp_path)]), ledger=0, unconfirmed=0)
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
