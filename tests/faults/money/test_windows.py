"""A window ends under load: calls book where they were admitted, and nobody is refused for it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.asking import Apps, ask
from support.eventually import eventually
from support.load import load
from support.money_world import DOLLAR, MoneyWorld, a_budget, money_world

ENDS_IN_S = 8.0
"""From the Budget's appearance to the window's end: time for a lease and some load."""


@contextmanager
def world_before(folder: Path, moment: str, window: dict[str, Any]) -> Iterator[MoneyWorld]:
    """A world whose window ends at that moment, a few seconds from now, with a sidecar."""
    ends_ms = int(dt.datetime.fromisoformat(moment).timestamp() * 1000)
    with money_world(folder, moved=True) as world:
        world.put()
        world.start_sidecar()
        world.set_clock(ends_ms, ahead_s=ENDS_IN_S)
        # A short horizon makes renewals fast enough for a test.
        budget = a_budget(DOLLAR, window=window, enforcement={"outageHorizonSeconds": 6})
        world.reach(world.put(budget))
        yield world


def windows(world: MoneyWorld) -> list[str]:
    """The keys of the account's windows with money in them, oldest first."""
    rows = [row for row in world.balances() if row["settled"] + row["unconfirmed"] > 0]
    return [row["window"] for row in sorted(rows, key=lambda row: row["resets_at"])]


@pytest.mark.parametrize(
    ("moment", "window"),
    [
        ("2026-11-22T11:00:00+00:00", {"calendar": "Hour", "timeZone": "UTC"}),
        # The longest and the shortest day in Berlin end at their own midnight.
        ("2026-10-26T00:00:00+01:00", {"calendar": "Day", "timeZone": "Europe/Berlin"}),
        ("2026-03-30T00:00:00+02:00", {"calendar": "Day", "timeZone": "Europe/Berlin"}),
    ],
    ids=["hour", "long-day", "short-day"],
)
async def test_a_window_ends_under_load(
    tmp_path: Path, moment: str, window: dict[str, Any]
) -> None:
    """No call is refused, both windows together are the bill, to the picodollar."""
    with world_before(tmp_path, moment, window) as world:
        async with load(world, seed=1, callers=4) as running:
            await running.reached(10)
            before = [row["window"] for row in world.balances()]
            async with asyncio.timeout(40):
                while world.hub.balance()["window"] in before:
                    await running.reached(5)
            await running.reached(50)
        assert all(got.whole for got in running.got), [g for g in running.got if not g.whole][:2]
        world.finish()
        assert len(windows(world)) == 2
        assert world.booked() == world.billed()
        assert sum(row["leased"] + row["unconfirmed"] for row in world.balances()) == 0


async def test_a_stream_across_midnight_books_where_it_was_admitted(tmp_path: Path) -> None:
    """It began yesterday, so yesterday pays all of it; today starts at zero."""
    window = {"calendar": "Day", "timeZone": "Europe/Berlin"}
    with world_before(tmp_path, "2026-11-23T00:00:00+01:00", window) as world:
        url = world.sidecars["a"].url
        yesterday = world.hub.balance()["window"]
        # Longer than the day lasts: the top-ups of its end are granted in the new window.
        do = {"outputTokens": 900, "tokensPerSecond": 50}
        async with Apps(world) as http:
            got = await ask(http, url, stream=True, max_tokens=1000, do=do)
        assert got.whole, got
        eventually(lambda: world.hub.balance()["window"] != yesterday)
        world.finish()
        assert windows(world) == [yesterday]
        assert world.booked() == world.billed()


async def test_a_full_window_is_open_again_after_its_end(tmp_path: Path) -> None:
    """Refused until the hour is over, served right after, and the refusal said when."""
    window = {"calendar": "Hour", "timeZone": "UTC"}
    with world_before(tmp_path, "2026-11-22T11:00:00+00:00", window) as world:
        world.reach(world.put(a_budget(10**8, window=window)))
        url = world.sidecars["a"].url
        async with Apps(world) as http:
            refused = await until(http, url, whole=False)
            assert "2026-11-22T11:00:00" in refused.error["message"]
            await until(http, url, whole=True)
        world.finish()
        assert world.booked() == world.billed()
        assert all(row["settled"] <= row["limit"] for row in world.balances())


async def until(http: Apps, url: str, *, whole: bool) -> Any:
    """The first call that is, or is not, served."""
    async with asyncio.timeout(30):
        while True:
            got = await ask(http, url, max_tokens=60, do={"outputTokens": 60})
            if got.whole == whole:
                return got
