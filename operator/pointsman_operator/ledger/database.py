"""The hub's database, on SQLite or PostgreSQL: one writer, durable before it is answered.

What both stores have in common is here: transactions, the clock's mark, the count of commits, the
incarnation. What each does in its own way is in `sqlite` and `postgresql`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Protocol, Self, TypeVar

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pointsman_operator.ledger import limits, readmitting
from pointsman_operator.ledger.clock import Clock, LedgerClock
from pointsman_operator.ledger.errors import StoreLost, StoreRefused, StoreUnavailable
from pointsman_operator.ledger.migrating import migrate
from pointsman_operator.ledger.schema import SCHEMA_VERSION, audit, meta, metadata

_SET_META = update(meta).where(meta.c.key == bindparam("name")).values(value=bindparam("new_value"))

T = TypeVar("T")


class Store(Protocol):
    """Where the ledger is kept. All but `readers` and `interrupt` is for the writer's thread."""

    readers: AsyncEngine
    """Each connection sees one consistent state."""
    waits: bool
    """Whether a store that cannot be opened now may be there later by itself."""

    def opening(self) -> AbstractContextManager[Connection]:
        """The transaction that makes and loads the database; raises `StoreUnavailable`."""
        ...

    def claim(self, connection: Connection, stored: Mapping[str, str]) -> tuple[int, bool]:
        """Become the writer: how many commits there were, and whether the state is a backup's."""
        ...

    def kept(self) -> Mapping[str, str]:
        """What a new incarnation writes into `meta`, by which the next backup is told apart."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """One transaction, by the one writer; raises `StoreUnavailable` or `StoreLost`."""
        ...

    def committed(self, commits: int) -> None:
        """So many commits are durable now."""
        ...

    def interrupt(self) -> None:
        """From another thread: what runs too long shall fail, where that can be done."""
        ...

    def close(self) -> None:
        """Let the next writer in."""
        ...


class Database:
    """An open database; one writing transaction at a time, readers beside it.

    A transaction that writes is a plain function run as a whole in the writer's thread: one change
    of threads for all its statements, where an asynchronous connection pays one for each.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._writer = ThreadPoolExecutor(1, "writer")
        self._writing = asyncio.Lock()
        self._commits = 0
        self.clock = LedgerClock(clock)
        self.incarnation = 1
        self.incarnation_ms = 0
        """When it began to be served, on the ledger's clock; 0: nobody needs to know any more."""
        self.restored = False
        """Whether opening found a state older than one that was already served."""
        self.made_ms: int | None = None
        """When this process made it, on the ledger's clock; None: it was there."""
        self.failure: str | None = None
        """Why the last write failed; nothing when it did not."""
        self.lost = asyncio.Event()
        """Another hub writes here now: this one is over, what it remembers may be wrong."""

    @classmethod
    async def open(cls, store: Store, clock: Clock) -> Self:
        """Open or make the database; raises `StoreRefused` or `StoreUnavailable`."""
        database = cls(store, clock)
        try:
            await database._in_writer(database._load)
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close the database and let the next writer in."""
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._store.close)
        await self._store.readers.dispose()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the writer's thread and a transaction of its own; its result is durable.

        Raises `StoreUnavailable`: then nothing of it happened, or all of it where the connection
        broke during the commit. So `work` must be such that doing it again changes nothing.
        """
        async with self._writing:
            # The clock belongs to the loop: two threads could make it go back.
            now_ms = self.clock.now_ms()
            try:
                result = await self._in_writer(lambda: self._transaction(work, now_ms))
            except DBAPIError as error:
                self.failure = reason(error)
                raise StoreUnavailable(f"the ledger cannot write: {self.failure}") from error
            except StoreUnavailable as error:
                self.failure = str(error)
                if isinstance(error, StoreLost):
                    self.lost.set()
                raise
            self.failure = None
            return result

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading one consistent state; raises `StoreUnavailable`."""
        try:
            async with (
                asyncio.timeout(limits.READ_WITHIN_S),
                self._store.readers.connect() as connection,
            ):
                yield connection
        except DBAPIError as error:
            raise StoreUnavailable(f"the ledger cannot read: {reason(error)}") from error
        except TimeoutError as error:
            raise StoreUnavailable("the ledger cannot read: no answer in time") from error

    def settles_ms(self, now_ms: int) -> int:
        """For how long nothing is granted yet, because the ledger was restored."""
        return readmitting.left_ms(self.incarnation, self.incarnation_ms, now_ms)

    def set_incarnation(self, connection: Connection, incarnation: int, now_ms: int) -> None:
        """Count a new life of the ledger, inside a caller's transaction."""
        number, began = str(incarnation), str(now_ms)
        _set(connection, incarnation=number, incarnation_ms=began, **self._store.kept())

    async def _in_writer(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        overdue = loop.call_later(limits.WRITE_WITHIN_S, self._store.interrupt)
        try:
            return await loop.run_in_executor(self._writer, work)
        finally:
            overdue.cancel()

    def _transaction(self, work: Callable[[Connection], T], now_ms: int) -> T:
        with self._store.writing() as connection:
            result = work(connection)
            _set(connection, commits=str(self._commits + 1), clock_ms=str(now_ms))
        self._commits += 1
        self._store.committed(self._commits)
        return result

    def _load(self) -> None:
        try:
            with self._store.opening() as connection:
                metadata.create_all(connection)
                stored = {row.key: row.value for row in connection.execute(select(meta))}
                version = int(stored.get("schema", SCHEMA_VERSION))
                if version > SCHEMA_VERSION:
                    raise StoreRefused(
                        f"the database has schema {version}, this hub knows {SCHEMA_VERSION}: "
                        "run the newer hub"
                    )
                migrate(connection, version)
                _complete(connection, stored)
                self._commits, self.restored = self._store.claim(connection, stored)
                self._resume(connection, stored)
        except DBAPIError as error:
            raise StoreUnavailable(f"the ledger cannot open: {reason(error)}") from error
        if "schema" not in stored:
            self.made_ms = self.clock.now_ms()

    def _resume(self, connection: Connection, stored: Mapping[str, str]) -> None:
        """Go on with the clock and the incarnation as they were."""
        last_ms = int(stored.get("clock_ms", 0))
        self.clock.restore(last_ms)
        self.incarnation = int(stored.get("incarnation", 1))
        self.incarnation_ms = int(stored.get("incarnation_ms", 0))
        if readmitting.left_ms(self.incarnation, self.incarnation_ms, last_ms):
            # The hub ended before every holder could report: they get the whole time again.
            self.incarnation_ms = self.clock.now_ms()
            _set(connection, incarnation_ms=str(self.incarnation_ms))


def note(connection: Connection, now_ms: int, action: str, detail: str) -> None:
    """Leave an audited row."""
    connection.execute(insert(audit).values(time_ms=now_ms, action=action, detail=detail))


def reason(error: DBAPIError) -> str:
    """What the store says, on one line; drivers add hints and addresses below."""
    return str(error.orig).partition("\n")[0]


def _complete(connection: Connection, stored: Mapping[str, str]) -> None:
    """Every row of `meta`, so that a commit only has to change some."""
    rows = {
        "commits": "0",
        "clock_ms": "0",
        "incarnation": "1",
        "incarnation_ms": "0",
        "writer": "",
        "place": "",
    }
    missing = [{"key": key, "value": value} for key, value in rows.items() if key not in stored]
    if missing:
        connection.execute(insert(meta), missing)
    if "schema" not in stored:
        connection.execute(insert(meta), [{"key": "schema", "value": ""}])
    _set(connection, schema=str(SCHEMA_VERSION))


def _set(connection: Connection, **values: str) -> None:
    rows = [{"name": key, "new_value": value} for key, value in values.items()]
    connection.execute(_SET_META, rows)
