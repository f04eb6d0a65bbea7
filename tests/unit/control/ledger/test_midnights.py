"""Windows change while holders spend: on a usual midnight and on both days that clocks change."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

import pytest

from pointsman_operator.ledger.database import Store
from pointsman_operator.ledger.messages import SyncAnswer
from support.ledger_world import (
    DAY,
    HandClock,
    LedgerWorld,
    day_account,
    report,
    sync_request,
    want,
)

MINUTE_MS = 60_000
HOLDERS = 20
MIDNIGHTS = {
    "a usual midnight": ("2026-11-22T23:50+01:00", 24),
    "into the long day": ("2026-10-24T23:50+02:00", 25),
    "into the short day": ("2026-03-28T23:50+01:00", 23),
}


async def all_sync(world: LedgerWorld, spend: int) -> list[SyncAnswer]:
    """Every holder reports what it has spent and wants more, at the same time."""
    requests = [
        sync_request(
            f"s{n}",
            leases=[report("u-1", spent=spend)] if spend else [],
            wants=[want(40, 60), want(0, 10, next=True)],
        )
        for n in range(HOLDERS)
    ]
    return list(await asyncio.gather(*map(world.ledger.sync, requests)))


@pytest.mark.parametrize(("before", "hours"), MIDNIGHTS.values(), ids=MIDNIGHTS.keys())
def test_each_day_has_its_own_limit_however_long_it_is(
    store: Callable[[], Store], before: str, hours: int
) -> None:
    """Grants of both days stay within each day's limit; the new day ends at its own midnight."""
    start_ms = int(dt.datetime.fromisoformat(before).timestamp() * 1000)
    world = LedgerWorld(store, {DAY: day_account(1000)}, HandClock(start_ms))
    try:
        granted: dict[tuple[str, str], int] = {}
        for _ in range(20):
            for answer in world.run(all_sync(world, 0)):
                granted |= {(le.id, le.window.key): le.granted for le in answer.leases}
            world.clock.time_ms += MINUTE_MS
        windows = {key for _, key in granted}
        assert len(windows) == 2
        for window in windows:
            assert sum(g for (_, key), g in granted.items() if key == window) <= 1000
        (state,) = world.sync(wants=[want(0)]).states
        begun, ends = state.window[:10], dt.datetime.fromisoformat(state.resets_at)
        length = ends - dt.datetime.fromisoformat(f"{begun}T00:00{state.window[10:]}")
        assert length == dt.timedelta(hours=hours)
        assert all(b.pot.overrun == 0 for b in world.run(world.ledger.balances(every=True)))
    finally:
        world.close()


def test_what_is_spent_after_midnight_on_yesterdays_lease_is_yesterdays(
    world: LedgerWorld,
) -> None:
    """A call books in the window of its admission, however late it settles."""
    (lease,) = world.sync(wants=[want(100)]).leases
    world.clock.time_ms += 20 * 3_600_000
    late = report(lease.id, window=lease.window.key, spent=100, closed=True)
    (state,) = world.sync(leases=[late]).states
    assert (state.used, state.window) == (0, "2026-11-23+01:00")
    balances = {b.window: b.pot for b in world.run(world.ledger.balances(every=True))}
    assert balances[lease.window.key].settled == 100
