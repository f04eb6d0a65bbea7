"""Where the money went: deltas of cumulative counters, groups, moments, roll-up."""

from __future__ import annotations

from typing import Any

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.spend import HOUR_MS, MINUTE_MS, Counters, SpendBy, SpendRow
from support.ledger_world import LedgerWorld


def usage(requests: int, cost: int, **names: str) -> dict[str, Any]:
    """Counters with a model's name."""
    tokens = {"input_tokens": requests * 10, "output_tokens": requests * 3}
    return {"model": "m", "team": "blue", "requests": requests, "cost": cost, **tokens, **names}


def spent(world: LedgerWorld, by: SpendBy = SpendBy.MODEL, since_ms: int = 0) -> list[SpendRow]:
    """What the ledger says."""
    return world.run(world.ledger.spend(by, since_ms))


def test_counters_are_booked_once(world: LedgerWorld) -> None:
    """Cumulative numbers: a replay adds nothing, progress adds the difference."""
    for cost in (5, 5, 9, 7):
        world.sync(usage=[usage(cost, cost)])
    minute_ms = world.clock.time_ms - world.clock.time_ms % MINUTE_MS
    assert spent(world) == [SpendRow("m", Counters(9, 90, 27, 9), minute_ms)]


def test_boots_and_sidecars_add_up(world: LedgerWorld) -> None:
    """Counters begin at zero with each engine start."""
    world.sync("a", "1", usage=[usage(1, 1)])
    world.sync("a", "2", usage=[usage(2, 2)])
    world.sync("b", "1", usage=[usage(4, 4)])
    assert spent(world)[0].counters.cost == 7


def test_one_sync_may_name_a_group_twice(world: LedgerWorld) -> None:
    """The larger counters stand; nothing is counted twice."""
    world.sync(usage=[usage(4, 4), usage(3, 3)])
    world.sync(usage=[usage(4, 4)])
    assert spent(world)[0].counters.cost == 4


def test_groups_are_sorted_by_cost(world: LedgerWorld) -> None:
    """Each dimension groups by its own names, the dearest first; unnamed is empty."""
    world.sync(usage=[usage(1, 1, team="red"), usage(1, 5, model="n"), usage(1, 1, team="")])
    assert [(r.key, r.counters.cost) for r in spent(world, SpendBy.TEAM)] == [
        ("blue", 5),
        ("", 1),
        ("red", 1),
    ]
    assert [r.key for r in spent(world, SpendBy.MODEL)] == ["n", "m"]
    assert [r.key for r in spent(world, SpendBy.ENDPOINT)] == [""]


def test_since_takes_minutes(world: LedgerWorld) -> None:
    """Spend of a minute counts when the moment lies in it or before it."""
    world.sync(usage=[usage(1, 1)])
    world.clock.time_ms += 10 * MINUTE_MS
    world.sync(usage=[usage(3, 3)])
    now_ms = world.clock.time_ms
    assert spent(world, since_ms=now_ms)[0].counters.cost == 2
    assert spent(world, since_ms=now_ms - 10 * MINUTE_MS)[0].counters.cost == 3
    assert spent(world, since_ms=now_ms + MINUTE_MS) == []


def test_sums_pass_64_bits(world: LedgerWorld) -> None:
    """Two groups of the largest cost sum to more than a column holds."""
    big = limits.MONEY_MAX
    for number in range(3):
        world.sync("a", str(number), usage=[usage(1, big, team=str(number))])
    assert spent(world)[0].counters.cost == 3 * big


def test_old_minutes_become_hours(world: LedgerWorld) -> None:
    """Two days later the hour's sum is what remains, and nothing is lost or doubled."""
    world.clock.time_ms += 7 * MINUTE_MS
    for minute in range(3):
        world.sync("a", str(minute), usage=[usage(1, 1)])
        world.clock.time_ms += MINUTE_MS
    last_ms = world.clock.time_ms - world.clock.time_ms % HOUR_MS
    world.clock.time_ms += limits.SPEND_MINUTES_KEPT_MS + HOUR_MS
    for _ in range(2):
        world.run(world.ledger.sweep())
        assert spent(world) == [SpendRow("m", Counters(3, 30, 9, 3), last_ms)]
    hour_ms = world.clock.time_ms - limits.SPEND_MINUTES_KEPT_MS - HOUR_MS - 10 * MINUTE_MS
    assert spent(world, since_ms=hour_ms + MINUTE_MS) == []


def test_marks_of_boots_long_gone_are_forgotten(world: LedgerWorld) -> None:
    """A boot that has been silent for five weeks will not report again."""
    world.sync(usage=[usage(1, 1)])
    world.clock.time_ms += limits.LEASES_KEPT_MS + 1
    world.run(world.ledger.sweep())
    world.sync(usage=[usage(1, 1)])
    assert spent(world)[0].counters.cost == 2
