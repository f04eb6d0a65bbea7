"""The database: refusals, versions, the clock's mark, and what a failed write leaves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text

from pointsman_operator.ledger import sqlite as sqlite_module
from pointsman_operator.ledger.clock import SystemClock
from pointsman_operator.ledger.database import Database, Store
from pointsman_operator.ledger.errors import StoreRefused, StoreUnavailable
from pointsman_operator.ledger.schema import meta
from pointsman_operator.ledger.sqlite import SqliteStore, file_system
from support.ledger_world import DAY, HandClock, LedgerWorld, report, sqlite_at, want

MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:30 / /data rw - nfs4 server:/export rw
23 22 0:31 / /data/my\\040disk rw - xfs /dev/sdb1 rw
24 21 0:32 / /database rw - tmpfs tmpfs rw
"""


def test_the_longest_mount_point_says_the_file_system() -> None:
    """A mount inside another wins; a folder whose name only begins alike does not."""
    cases = {"/": "ext4", "/data/x": "nfs4", "/data/my disk/x": "xfs", "/database": "tmpfs"}
    assert {path: file_system(Path(path), MOUNTS) for path in cases} == cases


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by its type; no file is made there."""
    here = file_system(tmp_path.resolve(), Path("/proc/self/mountinfo").read_text())
    monkeypatch.setattr(sqlite_module, "NETWORK_FILE_SYSTEMS", {here})
    with pytest.raises(StoreRefused, match=f"lies on {here}"):
        asyncio.run(Database.open(SqliteStore(tmp_path / "x.db"), HandClock()))
    assert list(tmp_path.iterdir()) == []


def test_the_system_clock_is_the_hosts() -> None:
    """Unix milliseconds."""
    assert abs(SystemClock().now_ms() - time.time() * 1000) < 60_000


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """One writer: the lock is held as long as the database is open."""
    first = await Database.open(SqliteStore(tmp_path / "x.db"), HandClock())
    with pytest.raises(StoreRefused, match="in use by another hub"):
        await Database.open(SqliteStore(tmp_path / "x.db"), HandClock())
    await first.close()
    await (await Database.open(SqliteStore(tmp_path / "x.db"), HandClock())).close()


async def test_a_newer_schema_is_refused(store: Callable[[], Store]) -> None:
    """An older hub does not touch what a newer one wrote."""
    database = await Database.open(store(), HandClock())

    def work(connection: Connection) -> None:
        connection.execute(text("UPDATE meta SET value = '99' WHERE key = 'schema'"))

    await database.write(work)
    await database.close()
    with pytest.raises(StoreRefused, match="schema 99"):
        await Database.open(store(), HandClock())


async def test_an_older_schema_is_brought_up_to_date(store: Callable[[], Store]) -> None:
    """What an older hub booked stays, new counters begin at zero; a second opening is no other."""
    database = await Database.open(store(), HandClock())

    def age(connection: Connection) -> None:
        for table in ("spend", "usage_marks"):
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN unconfirmed"))
        connection.execute(text("ALTER TABLE dimensions DROP COLUMN namespace"))
        connection.execute(text("INSERT INTO dimensions VALUES ('r', 'a', '', '', '', '', '')"))
        connection.execute(text("INSERT INTO spend VALUES (0, 'r', 1, 2, 3, 4)"))
        connection.execute(text("UPDATE meta SET value = '1' WHERE key = 'schema'"))

    await database.write(age)
    await database.close()
    for _ in range(2):
        database = await Database.open(store(), HandClock())
        async with database.reading() as connection:
            joined = "SELECT cost, unconfirmed, namespace FROM spend JOIN dimensions USING (ref)"
            row = (await connection.execute(text(joined))).one()
        assert tuple(row) == (4, 0, "")
        await database.close()


async def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    """What is no database is refused, not overwritten."""
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreUnavailable, match="cannot open"):
        await Database.open(SqliteStore(path), HandClock())
    assert path.read_bytes().startswith(b"not a database")


async def test_writes_are_durable_by_setting(tmp_path: Path) -> None:
    """WAL, and every commit synced."""
    database = await Database.open(SqliteStore(tmp_path / "x.db"), HandClock())
    async with database.reading() as connection:
        mode = (await connection.execute(text("PRAGMA journal_mode"))).scalar()
        synchronous = (await connection.execute(text("PRAGMA synchronous"))).scalar()
    await database.close()
    assert (mode, synchronous) == ("wal", 2)


async def test_the_clock_never_goes_back_even_over_a_restart(store: Callable[[], Store]) -> None:
    """The last commit's time is the least that the next process starts with."""
    clock = HandClock()
    database = await Database.open(store(), clock)

    def nothing(_connection: Connection) -> None:
        """A commit without content."""

    await database.write(nothing)
    await database.close()
    late, clock.time_ms = clock.time_ms, clock.time_ms - 10_000
    database = await Database.open(store(), clock)
    assert database.clock.now_ms() == late
    await database.close()


async def test_a_failed_write_leaves_nothing(store: Callable[[], Store]) -> None:
    """The transaction is undone, the reason kept until a write succeeds."""
    database = await Database.open(store(), HandClock())

    def twice(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(insert(meta).values(key="once", value="1"))

    with pytest.raises(StoreUnavailable, match="cannot write"):
        await database.write(twice)
    assert database.failure is not None
    async with database.reading() as connection:
        query = text("SELECT count(*) FROM meta WHERE key = 'once'")
        assert (await connection.execute(query)).scalar() == 0
    with pytest.raises(StoreUnavailable, match="cannot read"):
        await _read_nowhere(database)
    await database.close()


async def _read_nowhere(database: Database) -> None:
    async with database.reading() as connection:
        await connection.execute(text("SELECT * FROM nowhere"))


def test_an_older_database_than_the_lock_file_was_restored(tmp_path: Path) -> None:
    """The mark is ahead: noticed at the next start, and until an incarnation has begun."""
    world = LedgerWorld(sqlite_at(tmp_path / "ledger.db"))
    world.sync(wants=[want(1)])
    with (tmp_path / "ledger.db.lock").open("r+b") as file:
        os.pwrite(file.fileno(), b"00000000000000001000", 0)
    seen = []
    for _ in range(2):
        world.restart()
        seen.append(world.ledger.database.restored)
    number = world.run(world.ledger.begin_incarnation("restored"))
    world.restart()
    assert [*seen, world.ledger.database.restored] == [True, True, False]
    assert world.incarnation == number > 1
    world.close()


def test_a_database_without_its_lock_file_was_brought_here(tmp_path: Path) -> None:
    """A backup on a new volume: noticed, too, and until an incarnation has begun."""
    world = LedgerWorld(sqlite_at(tmp_path / "ledger.db"))
    world.sync(wants=[want(1)])
    world.run(world.shut())
    (tmp_path / "ledger.db.lock").unlink()
    seen = []
    for _ in range(2):
        world.run(world.open())
        seen.append(world.ledger.database.restored)
        world.run(world.shut())
    world.run(world.open())
    world.run(world.ledger.begin_incarnation("restored"))
    world.restart()
    assert [*seen, world.ledger.database.restored] == [True, True, False]
    world.close()


def test_old_leases_are_dropped_and_their_money_stays(world: LedgerWorld) -> None:
    """Five weeks after its end a closed lease is forgotten; its pot is not."""
    (lease,) = world.sync(wants=[want(100)]).leases
    window = lease.window.key
    world.sync(leases=[report(lease.id, window=window, spent=60, closed=True)])
    world.clock.time_ms += 36 * 86_400_000
    world.run(world.ledger.sweep())

    async def count() -> int:
        async with world.ledger.database.reading() as connection:
            return int((await connection.execute(text("SELECT count(*) FROM leases"))).scalar_one())

    assert world.run(count()) == 0
    every = world.run(world.ledger.balances(every=True))
    assert [(b.window, b.pot.settled) for b in every if b.pot.settled] == [(window, 60)]
    assert {b.account for b in every} == {DAY}
