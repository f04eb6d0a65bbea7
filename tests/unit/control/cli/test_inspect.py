"""What people see of a decision, of spend and of Budgets, and how a missing hub is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from pointsman_operator.cli.inspect import show_decision
from pointsman_operator.cli.output import OUT
from pointsman_operator.cli.state import Running, State
from support.free_port import free_port

RUN = CliRunner()
RECORD = {
    "id": "pm-7",
    "outcome": "ok",
    "status": 200,
    "simulated": True,
    "reason": "cheapest that is good enough",
    "requested_model": "auto",
    "model": "main/gpt-4o-mini",
    "policy": "demo/support",
    "rule": "smart",
    "signals": ["code"],
    "task": "math",
    "candidates": [
        {"model": "main/gpt-4o-mini", "score": 900_000, "probability": 912_345, "cost": 120_000},
        {"model": "main/gpt-4o", "filtered": "budget_tier"},
    ],
    "attempts": [{"model": "main/gpt-4o-mini", "class": "ok", "status": 200, "end_us": 1500}],
    "usage": {"input": 12, "output": 3, "source": "reported"},
    "cost": 3_600_000,
    "prices": {"input": 150_000, "output": 600_000},
    "budgets": [{"account": "demo/team/day", "charged": 3_600_000}],
    "stage_us": {"scan": 12},
}


def test_a_decision_is_told_whole() -> None:
    """Reason, candidates with score and filter, attempts, price and account are all there."""
    with OUT.capture() as captured:
        show_decision(RECORD)
    told = captured.get()
    for part in (
        *("pm-7", "simulated", "cheapest that is good enough", "smart", "code", "0.912"),
        *("budget_tier", "1.5", "$0.0000036", "demo/team/day", "scan 12 us"),
    ):
        assert part in told, part


def test_a_decision_without_choice_is_told_too() -> None:
    """A refused request has neither candidates nor attempts, and still explains itself."""
    with OUT.capture() as captured:
        show_decision({"id": "pm-8", "outcome": "refused", "status": 400, "reason": "not JSON"})
    assert "not JSON" in captured.get()


@pytest.mark.parametrize("command", [["explain", "pm-1"], ["spend"], ["budgets"]])
def test_without_a_hub_the_remedy_is_named(command: list[str], tmp_path: Path) -> None:
    """Nothing runs in this state folder: status 69, and what to start."""
    outcome = RUN.invoke(APPLICATION, [*command, "--state", str(tmp_path)])
    assert outcome.exit_code == exits.UNAVAILABLE
    assert "pointsman up" in outcome.stderr


def test_a_hub_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """An announcement that outlived its hub is no stack trace."""
    state = State(tmp_path)
    state.prepare()
    gone = f"http://127.0.0.1:{free_port()}"
    state.announce(Running(1, "http://127.0.0.1:1/v1", gone, "demo/support", ()))
    outcome = RUN.invoke(APPLICATION, ["spend", "--state", str(tmp_path)])
    assert outcome.exit_code == exits.UNAVAILABLE
    assert gone in outcome.stderr.replace("\n", "")
