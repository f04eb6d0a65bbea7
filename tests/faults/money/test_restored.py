"""A ledger is set back to a backup while sidecars live: nothing is granted twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.asking import Apps, Got, ask
from support.backup_page import back_up_database, back_up_file, restore_database, restore_file
from support.eventually import eventually
from support.money_world import MoneyWorld, a_budget, money_world
from support.postgresql_server import PostgresqlServer

LIMIT = 400_000_000
"""Picodollars: some fifty of the calls below."""
SMALL: dict[str, Any] = {"max_tokens": 20, "do": {"outputTokens": 10}}
BACK_S = 60.0
SETTLE_MS = 60_000
"""So long after a restore nothing is granted."""
MOST_CALLS = 60

Backup = tuple[MoneyWorld, Callable[[], None], Callable[[], None]]


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backup]:
    """A hub on each store, and how docs/operations.md says to back it up and to restore it."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            world = stack.enter_context(money_world(tmp_path, moved=True))
            kept: list[bytes] = []
            state = world.hub.folder
            yield (
                world,
                lambda: kept.append(back_up_file(state)),
                lambda: restore_file(state, kept[0]),
            )
            return
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        url = stack.enter_context(server.database())
        world = stack.enter_context(money_world(tmp_path, moved=True, url=url))
        yield (
            world,
            lambda: back_up_database(server, url, tmp_path),
            lambda: restore_database(server, url, tmp_path),
        )


async def spend(world: MoneyWorld, name: str, calls: int) -> int:
    """Calls through a sidecar; how many were answered whole."""
    async with Apps(world) as http:
        got = [await ask(http, world.sidecars[name].url, **SMALL) for _ in range(calls)]
    return sum(one.whole for one in got)


async def spend_all(world: MoneyWorld, name: str) -> Got:
    """Calls through a sidecar until one is refused: that one."""
    async with Apps(world) as http:
        for _ in range(MOST_CALLS):
            got = await ask(http, world.sidecars[name].url, **SMALL)
            if not got.whole:
                return got
    raise AssertionError(f"{name} spends without end")


async def test_a_restore_grants_nothing_twice(stage: Backup) -> None:
    """A sidecar whose lease the backup does not know is not heard of while another wants all."""
    world, back_up, restore = stage
    world.put(a_budget(LIMIT))
    world.start_sidecar("a")
    assert await spend(world, "a", 3) == 3
    back_up()
    # What the backup does not know: more spending, and a sidecar that was never heard of.
    silent = world.start_sidecar("b")
    assert await spend(world, "a", 3) + await spend(world, "b", 3) == 6
    # Once it has ended in order, the hub with a moved clock raises the signal again.
    assert world.hub.stop() == -signal.SIGTERM
    silent.child.send_signal(signal.SIGSTOP)
    restore()
    world.hub.start()
    restored = world.hub.sync("witness")["incarnation"]
    assert restored > 1
    eventually(lambda: sum(row["leased"] for row in world.balances()) > 0, BACK_S)
    refused = await spend_all(world, "a")
    assert (refused.status, refused.code) == (429, "ledger_restored"), refused
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    silent.child.send_signal(signal.SIGCONT)
    assert await spend(world, "b", 1) == 1, "it goes on within what it holds"
    before = world.billed()
    eventually(lambda: world.booked() >= before, BACK_S)
    held = (await spend_all(world, "b")).code
    assert held == "ledger_restored"
    before = world.billed()
    world.set_clock(int(world.hub.sync("witness", seq=2)["now_ms"]) + SETTLE_MS, ahead_s=0)
    # The rest of the limit is usable, with the next renewal at the latest, and no more than that.
    answered, until = 0, time.monotonic() + BACK_S
    while not answered and time.monotonic() < until:
        answered = await spend(world, "a", 10) + await spend(world, "b", 10)
        await asyncio.sleep(0.5)
    while await spend(world, "a", 10) + await spend(world, "b", 10):
        pass
    assert before < world.billed() <= LIMIT
    world.finish()
    assert world.booked() == world.billed()
    assert world.hub.sync("witness", seq=3)["incarnation"] == restored
