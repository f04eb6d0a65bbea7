"""What the ledger reads of a route table."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pointsman_operator.ledger.accounts import Account, Threshold, read_accounts
from pointsman_operator.ledger.demand import Demand
from pointsman_operator.ledger.limits import POTS_REMEMBERED
from pointsman_operator.ledger.windows import Calendar, WindowSpec


def table(**changed: Any) -> dict[str, Any]:
    """A table with one Budget of two limits."""
    window = {"calendar": "Day", "timeZone": "Europe/Berlin"}
    budget = {
        "namespace": "demo",
        "name": "team",
        "limits": [
            {"name": "day", "amount": 5, "window": window},
            {"name": "month", "amount": 50, "window": window | {"calendar": "Month"}},
        ],
        "thresholds": [{"percent": 80, "action": "Notify"}, {"percent": 95, "action": "Block"}],
        "enforcement": {"mode": "Enforce", "outageHorizonSeconds": 600},
    }
    return {"version": 1, "budgets": [budget | changed]}


def test_each_limit_is_an_account() -> None:
    """`namespace/name/limit`, with the Budget's thresholds and outage horizon."""
    day, month = read_accounts(table())
    marks = (Threshold(80, blocks=False), Threshold(95, blocks=True))
    spec = WindowSpec(Calendar.DAY, "Europe/Berlin")
    assert day == Account("demo/team/day", 5, spec, marks, 600_000)
    assert (month.name, month.window.calendar) == ("demo/team/month", Calendar.MONTH)
    assert day.ceiling_percent == 95


def test_without_a_block_the_limit_itself_is_the_ceiling() -> None:
    """Granting ends at 100 %."""
    (day, _) = read_accounts(table(thresholds=[]))
    assert day.ceiling_percent == 100


def test_a_horizon_too_short_to_renew_in_is_lifted() -> None:
    """Six seconds at least."""
    short = {"mode": "Enforce", "outageHorizonSeconds": 0}
    assert read_accounts(table(enforcement=short))[0].hard_expiry_ms == 6_000


@pytest.mark.parametrize(
    "limit",
    [
        {"name": "day", "amount": 1.5, "window": {"calendar": "Day", "timeZone": "UTC"}},
        {"name": "day", "amount": 10**19, "window": {"calendar": "Day", "timeZone": "UTC"}},
        {"name": "day", "amount": 1, "window": {"calendar": "Day", "timeZone": "Mars/Base"}},
        {"name": "day", "amount": 1, "window": {"rolling": "1h"}},
    ],
    ids=["a float", "too much", "no such zone", "no such window"],
)
def test_a_budget_that_cannot_be_kept_is_refused(limit: dict[str, Any]) -> None:
    """Nothing is accepted that the ledger would not keep."""
    with pytest.raises(ValidationError):
        read_accounts(table(limits=[limit]))


def test_demand_forgets_the_least_recently_wanted() -> None:
    """The memory is bounded."""
    demand = Demand()
    for number in range(POTS_REMEMBERED + 1):
        demand.note((str(number), "w"), 5, "a", short=number % 2 == 0, now_ms=0)
    assert demand.needs(("0", "w")) == ()
    assert demand.needs(("1", "w")) == (5,)
    assert not demand.starved(("1", "w"), 0)
    assert demand.starved(("2", "w"), 9_999)
    assert not demand.starved(("2", "w"), 10_000)
    assert not demand.others_starve(("2", "w"), "a", 9_999)
    assert demand.others_starve(("2", "w"), "b", 9_999)
    demand.note(("2", "w"), 5, "b", short=True, now_ms=5_000)
    assert demand.others_starve(("2", "w"), "a", 5_000)
    assert demand.others_starve(("2", "w"), "b", 5_000), "both were turned away"


def test_demand_keeps_the_smallest_need_that_was_turned_away() -> None:
    """Until one is met: what is left may then be too little for anybody."""
    demand, key = Demand(), ("a", "w")
    assert demand.turned_away(key) == 0
    for need in (9, 5, 7):
        demand.note(key, need, "a", short=True, now_ms=0)
    assert demand.turned_away(key) == 5
    demand.note(key, 3, "b", short=False, now_ms=0)
    assert demand.turned_away(key) == 0
