"""The hub comes back without its ledger (a volume that was lost, a new installation)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from support.asking import Apps, Got, ask
from support.eventually import eventually
from support.money_world import DOLLAR, MoneyWorld, a_budget

SMALL: dict[str, Any] = {"max_tokens": 20, "do": {"outputTokens": 10}}
LIMIT = 100 * DOLLAR
"""The first lease, ten cents, lasts for all of this."""
PUBLISHED_AFTER_S, CALLS_AFTER_S = 8.0, 2.0
BACK_S = 30.0


def forget(state: Path) -> None:
    """The ledger's files are gone; the token, a Secret in a cluster, is not."""
    for file in state.glob("hub.db*"):
        file.unlink()


async def call_on(world: MoneyWorld, over: asyncio.Event) -> list[Got]:
    """Steady calls until it is over."""
    got: list[Got] = []
    async with Apps(world) as http:
        while not over.is_set():
            got.append(await ask(http, world.sidecars["a"].url, **SMALL))
            await asyncio.sleep(0.05)
    return got


async def test_no_call_fails_while_an_empty_hub_waits_for_its_tables(world: MoneyWorld) -> None:
    """`SpendLease` goes on with what it holds until the Budget is known again, then renews."""
    world.put(a_budget(LIMIT))
    world.start_sidecar()
    over = asyncio.Event()
    calling = asyncio.create_task(call_on(world, over))
    await asyncio.sleep(1)
    await asyncio.to_thread(world.hub.kill)
    forget(world.hub.folder)
    await asyncio.to_thread(world.hub.start)
    await asyncio.sleep(PUBLISHED_AFTER_S)
    digest = await asyncio.to_thread(world.put, a_budget(LIMIT))
    sidecar = world.sidecars["a"]
    await asyncio.to_thread(eventually, lambda: not sidecar.state()["ledger_is_away"], BACK_S)
    await asyncio.sleep(CALLS_AFTER_S)
    over.set()
    got = await calling
    assert sidecar.state()["digest"] == digest
    assert [one.error for one in got if not one.whole] == []
    world.finish()
    # What was spent of the old ledger's leases is reported to the new one.
    assert world.booked() == world.billed()
