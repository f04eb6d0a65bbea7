"""The closing table is arithmetic on recorded facts, with the strongest zero router beside it."""

from __future__ import annotations

import pytest

from pointsman_operator.demo_data import scoring
from pointsman_operator.demo_data.scoring import Outcome


def outcomes(right: list[int], cost: float) -> list[Outcome]:
    """One outcome a question at a fixed cost."""
    return [Outcome(float(correct), cost) for correct in right]


SINGLES = {
    "cheap": outcomes([1, 0, 0, 0] * 25, 1.0),
    "useless": outcomes([0, 0, 0, 1] * 25, 5.0),
    "strong": outcomes([1, 1, 1, 0] * 25, 11.0),
}


def test_table_has_the_four_policies() -> None:
    """Cheapest and best are found on the record; per cent and cost are plain means."""
    chosen = outcomes([1, 1, 0, 0] * 25, 6.0)
    cheapest, best, zero, ours = scoring.closing_table(SINGLES, chosen)
    assert (cheapest.policy, cheapest.percent.mean, cheapest.cost.mean) == ("cheap", 25.0, 1.0)
    assert (best.policy, best.percent.mean, best.cost.mean) == ("strong", 75.0, 11.0)
    assert zero.policy == "50 % cheap, 50 % strong"
    assert (zero.percent.mean, zero.cost.mean) == (50.0, 6.0)
    assert (ours.percent.mean, ours.cost.mean, ours.verdict) == (50.0, 6.0, "")


def test_intervals_are_paired_and_repeatable() -> None:
    """The same questions for everyone: a constant lead has no width, and runs agree."""
    chosen = [Outcome(one.correct, one.cost - 2) for one in SINGLES["strong"]]
    best = scoring.closing_table(SINGLES, chosen)[1]
    assert best.correct_difference == scoring.Interval(0.0, 0.0, 0.0)
    assert best.cost_difference == scoring.Interval(-2.0, -2.0, -2.0)
    assert best.percent.low < 75.0 < best.percent.high
    assert scoring.closing_table(SINGLES, chosen) == scoring.closing_table(SINGLES, chosen)


def test_a_difference_is_claimed_only_where_the_interval_leaves_zero_out() -> None:
    """One question more of a hundred is no difference; twenty-five more are."""
    one_more = list(SINGLES["cheap"])
    one_more[1] = Outcome(1.0, 1.0)
    assert scoring.closing_table(SINGLES, one_more)[0].verdict == "no difference shown"
    strong = scoring.closing_table(SINGLES, SINGLES["strong"])
    assert strong[0].verdict == "Pointsman is right more often"
    weak = scoring.closing_table(SINGLES, SINGLES["useless"])
    assert weak[1].verdict == "Pointsman is right less often"
    assert [line.cost_verdict for line in weak] == [
        "Pointsman costs more",
        "Pointsman costs less",
        "no difference shown",
        "",
    ]


def test_zero_router_stays_on_the_hull() -> None:
    """A dominated model is never mixed in; outside the hull the nearest end speaks."""
    for cost, recipe in [(0.5, "100 % cheap"), (11.0, "100 % strong"), (99.0, "100 % strong")]:
        assert scoring.zero_router(SINGLES, cost)[1] == recipe
    mixed, recipe = scoring.zero_router(SINGLES, 3.5)
    assert "useless" not in recipe
    assert scoring.mean_cost(mixed) == pytest.approx(3.5)
    assert scoring.zero_cost_of(SINGLES, 0.5) == pytest.approx(6.0)
    assert scoring.zero_cost_of(SINGLES, 0.9) == 11.0


def test_unequal_numbers_of_questions_are_refused() -> None:
    """A model that lacks a question would make the comparison unfair."""
    with pytest.raises(ValueError, match="every question"):
        scoring.closing_table({"a": outcomes([1], 1.0)}, outcomes([1, 0], 1.0))
    with pytest.raises(ValueError, match="every question"):
        scoring.closing_table({}, [])
