"""The ledger in one SQLite file: one writer, durable before anything is answered.

`synchronous=FULL` and WAL make a commit survive a power cut; a lock file beside the database keeps
a second process out and remembers how many commits there were, so that a restored backup is
noticed. `database` opens this and calls it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from pointsman_operator.ledger.errors import StoreRefused

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs"}
)
"""Their locks and syncs do not hold what SQLite needs."""
_MARK_DIGITS = 20


class SqliteStore:
    """A database file, locked for as long as this is open."""

    waits = False
    """What keeps a file from being opened does not pass by waiting."""

    def __init__(self, path: Path) -> None:
        """Raises `StoreRefused` where the file is in use or lies where it must not."""
        _refuse_network_file_system(path)
        self._lock_file, self._lock_is_new = _lock(path)
        # Closed by the thread that closes the database, after the writer's has ended.
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
        self.readers = create_async_engine(f"sqlite+aiosqlite:///{path}")
        for engine in (self._engine, self.readers.sync_engine):
            event.listen(engine, "connect", _prepare_connection)
            event.listen(engine, "begin", _begin)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One writing transaction."""
        with self._engine.begin() as connection:
            yield connection

    opening = writing
    """The transaction that makes and loads the database is one as any other."""

    def claim(self, _connection: Connection, stored: Mapping[str, str]) -> tuple[int, bool]:
        """How many commits there were, and whether the file is older than its lock file says.

        A database that has commits and no lock file beside it came from elsewhere: a backup, too.
        """
        commits, mark = int(stored.get("commits", 0)), _read_mark(self._lock_file)
        if self._lock_is_new and commits > 0:
            # Said in the mark, so that it holds until an incarnation has begun.
            mark = commits + 1
            self.committed(mark)
        # The next commit passes the mark, so only one that raises the incarnation may come next.
        return max(mark, commits), mark > commits

    def kept(self) -> Mapping[str, str]:
        """Nothing: what tells a restored file apart stands beside it."""
        return {}

    def committed(self, commits: int) -> None:
        """Remember a commit."""
        # Without fsync: after a power cut the mark may be behind the database, never ahead of it.
        os.pwrite(self._lock_file, str(commits).zfill(_MARK_DIGITS).encode(), 0)

    def interrupt(self) -> None:
        """A local disk is waited for."""

    def close(self) -> None:
        """Give up the lock; the writer's thread has ended."""
        self._engine.dispose()
        os.close(self._lock_file)


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


def _lock(path: Path) -> tuple[int, bool]:
    """The locked file, and whether this made it."""
    file = path.with_name(path.name + ".lock")
    is_new = not file.exists()
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreRefused(f"{path} is in use by another hub") from error
    return lock, is_new


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
