"""The hub's database: one SQLite file with one writer, durable before anything is answered.

`synchronous=FULL` and WAL make a commit survive a power cut; a lock file beside the database keeps
a second process out and remembers how many commits there were, so that a restored backup is
noticed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import event, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pointsman_operator.ledger.clock import Clock, LedgerClock
from pointsman_operator.ledger.errors import StoreRefused, StoreUnavailable
from pointsman_operator.ledger.schema import SCHEMA_VERSION, audit, meta, metadata

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs"}
)
"""Their locks and syncs do not hold what SQLite needs."""
_MARK_DIGITS = 20

T = TypeVar("T")


class Database:
    """An open database; one writing transaction at a time, readers beside it."""

    def __init__(self, engine: AsyncEngine, lock: int, clock: Clock) -> None:
        self._engine = engine
        self._lock_file = lock
        self._writing = asyncio.Lock()
        self._commits = 0
        self.clock = LedgerClock(clock)
        self.incarnation = 1
        self.restored = False
        """Whether opening found an older database than the lock file remembers."""
        self.failure: str | None = None
        """Why the last write failed; nothing when it did not."""

    @classmethod
    async def open(cls, path: Path, clock: Clock) -> Self:
        """Open or create the database; raises `StoreRefused` or `StoreUnavailable`."""
        _refuse_network_file_system(path)
        lock = _lock(path)
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        event.listen(engine.sync_engine, "connect", _prepare_connection)
        event.listen(engine.sync_engine, "begin", _begin)
        database = cls(engine, lock, clock)
        try:
            await database._load()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close the database and give up the lock."""
        await self._engine.dispose()
        os.close(self._lock_file)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in a transaction of its own; its result means that it is on disk.

        Raises `StoreUnavailable`, and then nothing of it happened.
        """
        async with self._writing:
            try:
                async with self._engine.begin() as connection:
                    result = await work(connection)
                    await self._stamp(connection)
            except DBAPIError as error:
                self.failure = str(error.orig)
                raise StoreUnavailable(f"the ledger cannot write: {error.orig}") from error
            self.failure = None
            self._commits += 1
            _write_mark(self._lock_file, self._commits)
            return result

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading one consistent state; raises `StoreUnavailable`."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreUnavailable(f"the ledger cannot read: {error.orig}") from error

    async def set_incarnation(self, connection: AsyncConnection, incarnation: int) -> None:
        """Count a new life of the ledger, inside a caller's transaction."""
        await _set(connection, "incarnation", str(incarnation))

    async def _load(self) -> None:
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
                stored = {row.key: row.value for row in await connection.execute(select(meta))}
                version = int(stored.get("schema", SCHEMA_VERSION))
                if version > SCHEMA_VERSION:
                    raise StoreRefused(
                        f"the database has schema {version}, this hub knows {SCHEMA_VERSION}: "
                        "run the newer hub"
                    )
                await _set(connection, "schema", str(SCHEMA_VERSION))
        except DBAPIError as error:
            raise StoreUnavailable(f"the ledger cannot open: {error.orig}") from error
        commits, mark = int(stored.get("commits", 0)), _read_mark(self._lock_file)
        # The next commit passes the mark, so only one that raises the incarnation may come next.
        self.restored, self._commits = mark > commits, max(mark, commits)
        self.incarnation = int(stored.get("incarnation", 1))
        self.clock.restore(int(stored.get("clock_ms", 0)))

    async def _stamp(self, connection: AsyncConnection) -> None:
        await _set(connection, "commits", str(self._commits + 1))
        await _set(connection, "clock_ms", str(self.clock.now_ms()))


async def note(connection: AsyncConnection, now_ms: int, action: str, detail: str) -> None:
    """Leave an audited row."""
    await connection.execute(insert(audit).values(time_ms=now_ms, action=action, detail=detail))


async def _set(connection: AsyncConnection, key: str, value: str) -> None:
    changed = await connection.execute(update(meta).where(meta.c.key == key).values(value=value))
    if changed.rowcount == 0:
        await connection.execute(insert(meta).values(key=key, value=value))


def _prepare_connection(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by its own rules: see SQLAlchemy's notes on pysqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")


def _lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    lock = os.open(path.with_name(path.name + ".lock"), flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreRefused(f"{path} is in use by another hub") from error
    return lock


def _write_mark(lock: int, commits: int) -> None:
    # Without fsync: after a power cut the mark may be behind the database, never ahead of it.
    os.pwrite(lock, str(commits).zfill(_MARK_DIGITS).encode(), 0)


def _read_mark(lock: int) -> int:
    digits = os.pread(lock, _MARK_DIGITS, 0)
    return int(digits) if digits.isdigit() else 0


def _refuse_network_file_system(path: Path) -> None:
    kind = file_system(path.parent.resolve(), Path("/proc/self/mountinfo").read_text())
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreRefused(f"{path} lies on {kind}; the ledger needs a local disk")


def file_system(folder: Path, mountinfo: str) -> str:
    """The type of the file system that holds the folder, by the longest mount point."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), right.split(" ")[0]
    return kind
