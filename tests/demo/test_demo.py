"""The demo as a new user runs it, but for the local model: it ends by itself, all of it held."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.tree import ROOT

PROGRAM = str(Path(sys.executable).parent / "pointsman")


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run printed as JSON; its exit status and its page beside it."""
    folder = tmp_path_factory.mktemp("demo")
    page = folder / "demo.html"
    options = ["--no-local-model", "--json", "--state", str(folder / "state")]
    options += ["--page", str(page)]
    outcome = subprocess.run(
        [PROGRAM, "demo", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.stdout, outcome.stderr
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found | {"status": outcome.returncode, "page": page.read_text()}


@pytest.mark.timeout(300)
def test_everything_held(played: dict[str, Any]) -> None:
    """Exit status 0 exactly if no act and no sum is off."""
    assert played["problems"] == []
    assert played["held"] is True
    assert played["status"] == 0


def test_the_table_compares_pointsman_with_what_is_simpler(played: dict[str, Any]) -> None:
    """Always cheapest, best single, zero router and Pointsman, with intervals around each."""
    lines = {line["name"]: line for line in played["table"]}
    assert len(lines) == 4
    ours, best = lines["Pointsman"], lines["best single model"]
    assert ours["percent"]["low"] < ours["percent"]["mean"] < ours["percent"]["high"]
    assert ours["cost"]["mean"] < best["cost"]["mean"]
    zero = lines["zero router (random mix at equal cost)"]
    assert zero["cost"]["mean"] == pytest.approx(ours["cost"]["mean"], rel=0.01)
    assert zero["cost_verdict"] == "no difference shown"
    assert best["cost_verdict"] == "Pointsman costs less"


def test_the_books_are_equal_for_calls_that_ended(played: dict[str, Any]) -> None:
    """To the picodollar; cut calls lie above their bill, within the published epsilon."""
    books = played["books"]
    assert books["ended"]["calls"] > 290
    assert books["ended"]["billed"] == books["ended"]["booked"] > 0
    assert books["cut"]["calls"] >= 10
    assert books["cut"]["billed"] <= books["cut"]["booked"]
    assert books["ledger_of_cut"] == books["cut"]["booked"]
    assert books["ledger_of_cut"] - books["cut"]["billed"] <= books["cut"]["epsilon"]


def test_the_death_of_a_provider_costs_only_what_it_had_begun(played: dict[str, Any]) -> None:
    """Ten streams and more are cut honestly; no other call fails; traffic goes over and back."""
    act = played["failover"]
    assert act["cut"] >= 10
    assert act["failed_before_answer"] == 0
    assert act["switched_after_s"] is not None
    assert act["back_after_s"] is not None


def test_the_budget_ends_with_a_word_of_warning(played: dict[str, Any]) -> None:
    """Cheap models first, then the native error with Budget and reset."""
    act = played["budget"]
    assert act["before"] > 0
    assert act["downgraded"] > 0
    assert "demo/trial" in act["error"]
    assert "resets at" in act["error"]


def test_the_first_answer_and_every_part_are_timed(played: dict[str, Any]) -> None:
    """How long a new user waits for the first routed answer is measured, not promised."""
    assert 0 < played["first_answer_s"] < sum(played["seconds"].values())
    assert list(played["seconds"]) == ["start", "act 1", "act 2", "act 3", "latency", "books"]


def test_the_page_is_there(played: dict[str, Any]) -> None:
    """Self-contained, and says that providers were simulated."""
    assert "Acts and arithmetic held" in played["page"]
    assert "simulated" in played["page"]
