"""The ledger in PostgreSQL: one writer, whatever breaks, and commits that nobody heard of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.errors import StoreLost, StoreUnavailable
from pointsman_operator.ledger.postgresql import PostgresqlStore, url_in
from pointsman_operator.ledger.spend import SpendBy
from support.cut_relay import Cut, CutRelay, cut_relay
from support.ledger_world import HandClock, LedgerWorld, postgresql_at, report, want
from support.postgresql_server import PostgresqlServer


@pytest.fixture
def schema(postgresql: PostgresqlServer) -> Iterator[str]:
    """An empty schema."""
    with postgresql.schema() as name:
        yield name


@pytest.fixture
def relay(postgresql: PostgresqlServer) -> Iterator[CutRelay]:
    """Between the ledger and the server."""
    with (
        tempfile.TemporaryDirectory(prefix="pm-cut-") as folder,
        cut_relay(Path(folder), postgresql.socket) as made,
    ):
        yield made


@pytest.fixture
def world(postgresql: PostgresqlServer, schema: str, relay: CutRelay) -> Iterator[LedgerWorld]:
    """A ledger behind the relay."""
    made = LedgerWorld(postgresql_at(postgresql.url(schema, relay.folder)))
    yield made
    made.close()


async def opened(postgresql: PostgresqlServer, schema: str) -> Database:
    """Another hub on the same schema."""
    return await Database.open(PostgresqlStore(lambda: postgresql.url(schema)), HandClock())


def nothing(_connection: Connection) -> None:
    """A commit without content."""


def only_pot(world: LedgerWorld) -> tuple[int, int]:
    """What is settled and leased."""
    (balance,) = world.run(world.ledger.balances())
    return balance.pot.settled, balance.pot.leased


async def test_a_second_hub_waits_until_the_first_has_ended(
    postgresql: PostgresqlServer, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told so, writes nothing meanwhile, and opens as soon as the first is gone."""
    monkeypatch.setattr(limits, "LOCK_WITHIN_MS", 100)
    first = await opened(postgresql, schema)
    with pytest.raises(StoreUnavailable, match="another hub writes"):
        await opened(postgresql, schema)
    await first.write(nothing)
    await first.close()
    second = await opened(postgresql, schema)
    await second.write(nothing)
    await second.close()


async def test_a_hub_whose_place_was_taken_never_writes_again(
    postgresql: PostgresqlServer, schema: str
) -> None:
    """Its session was ended, another hub began: it notices at its next write and is over."""
    first = await opened(postgresql, schema)
    postgresql.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    second = await opened(postgresql, schema)
    for _ in range(2):
        with pytest.raises(StoreLost, match="another hub has begun"):
            await first.write(nothing)
    assert first.lost.is_set()
    await second.write(nothing)
    await second.close()
    with pytest.raises(StoreLost):
        await first.write(nothing)
    await first.close()


async def test_the_writers_row_decides_even_where_locks_are_lost(
    postgresql: PostgresqlServer, schema: str
) -> None:
    """As behind a pooler that hands sessions around: the older hub's next commit fails."""
    first = await opened(postgresql, schema)
    postgresql.set_meta(schema, "writer", "another")
    with pytest.raises(StoreLost, match="another hub has begun"):
        await first.write(nothing)
    await first.close()


async def test_a_server_that_restarts_is_found_again(
    postgresql: PostgresqlServer, schema: str
) -> None:
    """Away: nothing is written or read, and said so. Back: both work, without a restart of ours."""
    database = await opened(postgresql, schema)
    postgresql.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="cannot write"):
            await database.write(nothing)
    with pytest.raises(StoreUnavailable, match="cannot read"):
        await one(database)
    postgresql.start()
    await database.write(nothing)
    assert await one(database) == 1
    postgresql.restart()
    await database.write(nothing)
    assert await one(database) == 1
    assert not database.restored
    await database.close()


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER, Cut.HELD])
def test_a_commit_of_unknown_outcome_is_never_booked_twice(
    world: LedgerWorld, relay: CutRelay, cut: Cut
) -> None:
    """Done or not, the caller is told that it was not; its repetition leads to the same numbers."""
    (lease,) = world.sync(wants=[want(100)]).leases
    spent = report(lease.id, window=lease.window.key, granted=lease.granted, spent=60)
    usage = {"model": "main/a", "requests": 1, "cost": 60}
    again: dict[str, Any] = {
        "leases": [spent],
        "usage": [usage],
        "wants": [want(50, have=lease.granted)],
    }
    relay.cut = cut
    with pytest.raises(StoreUnavailable):
        world.sync(**again)
    (same,) = world.sync(**again).leases
    if cut is Cut.HELD:
        assert not relay.deliver()
    assert same.granted == lease.granted + 50
    assert only_pot(world) == (60, same.granted - 60)
    (row,) = world.run(world.ledger.spend(SpendBy.MODEL, 0))
    assert (row.counters.requests, row.counters.cost) == (1, 60)
    world.restart()
    assert only_pot(world) == (60, same.granted - 60)


def test_a_server_that_says_nothing_does_not_hold_the_ledger_for_ever(
    world: LedgerWorld, relay: CutRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is given up after its time, and the next write takes another one."""
    monkeypatch.setattr(limits, "WRITE_WITHIN_S", 0.5)
    relay.cut = Cut.FROZEN
    with pytest.raises(StoreUnavailable):
        world.sync(wants=[want(100)])
    assert world.sync(wants=[want(100)]).leases[0].granted >= 100


async def test_a_database_set_back_under_a_hub_voids_what_it_granted(
    postgresql: PostgresqlServer, schema: str
) -> None:
    """At the next connection it has fewer commits than were answered: the hub starts over."""
    database = await opened(postgresql, schema)
    for _ in range(3):
        await database.write(nothing)
    postgresql.set_meta(schema, "commits", "1")
    postgresql.restart()
    with pytest.raises(StoreLost, match="set back"):
        await database.write(nothing)
    await database.close()
    for _ in range(2):
        anew = await opened(postgresql, schema)
        assert anew.restored
        await anew.close()


async def test_sessions_are_held_to_their_time(postgresql: PostgresqlServer, schema: str) -> None:
    """A statement, an idle transaction and a dead peer each have an end; commits are durable."""
    database = await opened(postgresql, schema)
    names = "statement_timeout idle_in_transaction_session_timeout synchronous_commit"

    def shown(connection: Connection) -> list[str]:
        return [str(connection.execute(text(f"SHOW {name}")).scalar()) for name in names.split()]

    assert await database.write(shown) == ["10s", "30s", "on"]
    await database.close()


@pytest.mark.parametrize("content", ["mysql://u:hidden@h/d", "postgresql://u:hid%den@h/d", ""])
def test_a_wrong_url_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    """The file is named, and what would be right; the password is not."""
    path = tmp_path / "url"
    path.write_text(content)
    with pytest.raises(ValueError, match="hold a") as refused:
        url_in(path)
    assert "hid" not in str(refused.value)
    assert str(path) in str(refused.value)


async def one(database: Database) -> int:
    """A read."""
    async with database.reading() as connection:
        return int((await connection.execute(text("SELECT 1"))).scalar_one())
