"""Who is turned away is told when to ask again: many in turns, few soon, nobody too late."""

from __future__ import annotations

import heapq
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.accounts import Threshold
from pointsman_operator.ledger.demand import Demand
from support.ledger_world import DAY, LedgerWorld, day_account, report, want

KEY = ("demo/team/day", "today")
MINUTE_S = 60


@given(
    asks=st.lists(st.integers(0, 500), max_size=300),
    turns=st.sampled_from([limits.TURNS_PER_SECOND, limits.TURNS_PER_SECOND_SPENT, 1]),
)
def test_a_turn_is_never_too_soon_nor_too_late(asks: list[int], turns: int) -> None:
    """Whoever asks whenever: a second at least, thirty at most."""
    demand, now_ms = Demand(), 0
    for pause_ms in asks:
        now_ms += pause_ms
        again_ms = demand.turn(KEY, turns, now_ms)
        assert limits.AGAIN_MIN_MS <= again_ms <= limits.AGAIN_MAX_MS


@pytest.mark.parametrize("holders", [1, 100, 1_000, 5_000])
def test_however_many_ask_a_bounded_number_comes_each_second(holders: int) -> None:
    """Holders that keep to their turns: after the first crowd 200 asks a second, or each's own."""
    demand, asked = Demand(), Counter[int]()
    due_ms = [0] * holders
    while (now_ms := due_ms[0]) < MINUTE_S * 1000:
        again_ms = demand.turn(KEY, limits.TURNS_PER_SECOND, now_ms)
        heapq.heapreplace(due_ms, now_ms + again_ms)
        asked[now_ms // 1000] += 1
    later = [asked[second] for second in range(1, MINUTE_S)]
    assert max(later) <= limits.TURNS_PER_SECOND + 1
    assert sum(later) >= min(holders, limits.TURNS_PER_SECOND) * (MINUTE_S - 2) * 9 // 10


def test_more_than_fit_are_spread_over_the_later_half() -> None:
    """Twenty thousand at once: none in the first half beyond its turns, no crowd at the end."""
    demand = Demand()
    due = Counter(demand.turn(KEY, limits.TURNS_PER_SECOND, 0) // 1000 for _ in range(20_000))
    most = limits.AGAIN_MAX_MS // 1000
    assert max(due) <= most
    assert max(due[second] for second in range(1, most // 2)) <= limits.TURNS_PER_SECOND
    later = [due[second] for second in range(most // 2, most)]
    assert max(later) <= 2 * min(later), later


def test_a_denial_says_when_to_ask_again(world: LedgerWorld) -> None:
    """The first comes after a second, the next one behind it; one sync takes one turn."""
    world.ledger.accounts = {DAY: day_account(1000, [Threshold(100, blocks=True)])}
    (lease,) = world.sync("a", wants=[want(1000)]).leases
    told = [world.sync(name, wants=[want(10)]).denied[0].again_ms for name in "bcd"]
    assert told == [1000, 1005, 1010]
    # Nothing is leased any more: only a release or a higher limit helps, so they come less often.
    spent = world.sync("a", leases=[report(lease.id, spent=1000)], wants=[want(5, have=1000)])
    assert spent.denied[0].again_ms == spent.states[0].again_ms == 1030


def test_nobody_waits_beyond_the_windows_end(world: LedgerWorld) -> None:
    """In the new window there is money at once."""
    world.sync("a", wants=[want(1000)])
    world.clock.time_ms = 1_795_388_400_000 - 400
    assert world.sync("b", wants=[want(10)]).denied[0].again_ms == 400


def test_who_may_ask_at_once_is_told_no_time(world: LedgerWorld) -> None:
    """An unknown account, a window too far ahead, a limit that has money."""
    strange = world.sync(wants=[want(1) | {"account": "demo/none/day"}])
    ahead = world.sync(wants=[want(1, next=True)])
    assert [it.again_ms for it in (*strange.denied, *ahead.denied)] == [None, None]
    assert world.sync(wants=[want(1)]).states[0].again_ms is None


def test_a_spent_holder_renews_in_the_usual_time(world: LedgerWorld) -> None:
    """Near the end only those come often who have something to give back."""
    (mine,) = world.sync("a", wants=[want(600)]).leases
    (other,) = world.sync("b", wants=[want(400)]).leases
    world.sync("b", leases=[report(other.id, spent=0)], wants=[want(10)])
    (lease,) = world.sync("a", leases=[report(mine.id, spent=100)]).leases
    assert (lease.recall, lease.renew_every_ms) == (True, limits.RENEW_FAST_MS)
    (lease,) = world.sync("b", leases=[report(other.id, spent=400)]).leases
    assert (lease.recall, lease.renew_every_ms) == (False, limits.RENEW_EVERY_MS)
