"""The hub's database: one SQLite file with one writer, durable before anything is answered.

`synchronous=FULL` and WAL make a commit survive a power cut; a lock file beside the database keeps
a second process out and remembers how many commits there were, so that a restored backup is
noticed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pointsman_operator.ledger.clock import Clock, LedgerClock
from pointsman_operator.ledger.errors import StoreRefused, StoreUnavailable
from pointsman_operator.ledger.migrating import migrate
from pointsman_operator.ledger.schema import SCHEMA_VERSION, audit, meta, metadata

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs"}
)
"""Their locks and syncs do not hold what SQLite needs."""
_MARK_DIGITS = 20
_PUT_META = insert(meta).prefix_with("OR REPLACE")

T = TypeVar("T")


class Database:
    """An open database; one writing transaction at a time, readers beside it.

    A transaction that writes is a plain function run as a whole in the writer's thread: one change
    of threads for all its statements, where an asynchronous connection pays one for each.
    """

    def __init__(self, writing: Engine, reading: AsyncEngine, lock: int, clock: Clock) -> None:
        self._engine = writing
        self._readers = reading
        self._writer = ThreadPoolExecutor(1, "writer")
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
        # Closed by the thread that closes the database, after the writer's has ended.
        writing = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
        reading = create_async_engine(f"sqlite+aiosqlite:///{path}")
        for engine in (writing, reading.sync_engine):
            event.listen(engine, "connect", _prepare_connection)
            event.listen(engine, "begin", _begin)
        database = cls(writing, reading, lock, clock)
        try:
            await database._in_writer(database._load)
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close the database and give up the lock."""
        await asyncio.to_thread(self._writer.shutdown)
        self._engine.dispose()
        await self._readers.dispose()
        os.close(self._lock_file)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the writer's thread and a transaction of its own; its result is on disk.

        Raises `StoreUnavailable`, and then nothing of it happened.
        """
        async with self._writing:
            # The clock belongs to the loop: two threads could make it go back.
            now_ms = self.clock.now_ms()
            try:
                result = await self._in_writer(lambda: self._transaction(work, now_ms))
            except DBAPIError as error:
                self.failure = str(error.orig)
                raise StoreUnavailable(f"the ledger cannot write: {error.orig}") from error
            self.failure = None
            return result

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading one consistent state; raises `StoreUnavailable`."""
        try:
            async with self._readers.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreUnavailable(f"the ledger cannot read: {error.orig}") from error

    def set_incarnation(self, connection: Connection, incarnation: int) -> None:
        """Count a new life of the ledger, inside a caller's transaction."""
        _set(connection, incarnation=str(incarnation))

    async def _in_writer(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

    def _transaction(self, work: Callable[[Connection], T], now_ms: int) -> T:
        with self._engine.begin() as connection:
            result = work(connection)
            _set(connection, commits=str(self._commits + 1), clock_ms=str(now_ms))
        self._commits += 1
        _write_mark(self._lock_file, self._commits)
        return result

    def _load(self) -> None:
        try:
            with self._engine.begin() as connection:
                metadata.create_all(connection)
                stored = {row.key: row.value for row in connection.execute(select(meta))}
                version = int(stored.get("schema", SCHEMA_VERSION))
                if version > SCHEMA_VERSION:
                    raise StoreRefused(
                        f"the database has schema {version}, this hub knows {SCHEMA_VERSION}: "
                        "run the newer hub"
                    )
                migrate(connection, version)
                _set(connection, schema=str(SCHEMA_VERSION))
        except DBAPIError as error:
            raise StoreUnavailable(f"the ledger cannot open: {error.orig}") from error
        commits, mark = int(stored.get("commits", 0)), _read_mark(self._lock_file)
        # The next commit passes the mark, so only one that raises the incarnation may come next.
        self.restored, self._commits = mark > commits, max(mark, commits)
        self.incarnation = int(stored.get("incarnation", 1))
        self.clock.restore(int(stored.get("clock_ms", 0)))


def note(connection: Connection, now_ms: int, action: str, detail: str) -> None:
    """Leave an audited row."""
    connection.execute(insert(audit).values(time_ms=now_ms, action=action, detail=detail))


def _set(connection: Connection, **values: str) -> None:
    rows = [{"key": key, "value": value} for key, value in values.items()]
    connection.execute(_PUT_META, rows)


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
