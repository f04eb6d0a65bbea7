"""A ledger is set back to a backup while sidecars live: nothing is granted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.asking import Apps, ask
from support.backup_page import back_up_database, back_up_file, restore_database, restore_file
from support.eventually import eventually
from support.money_world import MoneyWorld, a_budget, money_world
from support.postgresql_server import PostgresqlServer

LIMIT = 400_000_000
"""Picodollars: some fifty of the calls below."""
SMALL: dict[str, Any] = {"max_tokens": 20, "do": {"outputTokens": 10}}
BACK_S = 60.0

Backup = tuple[MoneyWorld, Callable[[], None], Callable[[], None]]


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backup]:
    """A hub on each store, and how docs/operations.md says to back it up and to restore it."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            world = stack.enter_context(money_world(tmp_path))
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
        world = stack.enter_context(money_world(tmp_path, url=url))
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


async def test_a_restore_grants_nothing_twice(stage: Backup) -> None:
    """Leases are void by themselves, sidecars report again, and the bill stays within the limit."""
    world, back_up, restore = stage
    world.put(a_budget(LIMIT))
    world.start_sidecar("a")
    assert await spend(world, "a", 3) == 3
    back_up()
    # What the backup does not know: more spending, and a sidecar that was never heard of.
    world.start_sidecar("b")
    assert await spend(world, "a", 3) + await spend(world, "b", 3) == 6
    before = world.billed()
    assert world.hub.stop() == 0
    restore()
    world.hub.start()
    assert world.hub.sync("witness")["incarnation"] == 2
    eventually(lambda: world.booked() >= before, BACK_S)
    # The rest of the limit is usable, and no more than that.
    answered = 1
    while answered:
        answered = await spend(world, "a", 10) + await spend(world, "b", 10)
    assert before < world.billed() <= LIMIT
    world.finish()
    assert world.booked() == world.billed()
    assert world.hub.sync("witness", seq=2)["incarnation"] == 2
