"""The ledger in PostgreSQL: one hub writes at a time, held to it by the database itself.

A session-level advisory lock, held by the connection that writes, keeps a second hub waiting until
the first one's session ends, and every transaction locks the row that names the writer: a hub that
was away meanwhile finds another name there and ends, whatever pooler or network lies between.
`database` opens this and calls it.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, QueuePool, create_engine, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.errors import StoreLost, StoreUnavailable
from pointsman_operator.ledger.schema import meta
from pointsman_operator.ledger.securing import doubts, explained, tls_parameters, warn_once

LOCK = 0x706D
"""The advisory lock's first key; the second is the schema's name, hashed."""
_CLAIMED = "pointsman.claimed"
_WRITER_SEEN = select(meta.c.value).where(meta.c.key == "writer")
_WRITER = _WRITER_SEEN.with_for_update()
_COMMITS = select(meta.c.key, meta.c.value).where(meta.c.key.in_(["commits", "place"]))
_TRY_LOCK = text("SELECT pg_try_advisory_lock(:lock, hashtext(current_schema()))")
_LOCK = text("SELECT pg_advisory_lock(:lock, hashtext(current_schema()))")
_END_OWN = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = :name AND pid <> pg_backend_pid()"
    " AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
)
_SETTINGS = (
    "SELECT set_config('statement_timeout', %(statement)s, false),"
    " set_config('idle_in_transaction_session_timeout', %(idle)s, false),"
    # A dead hub's session must end by itself, or the next hub would wait for hours.
    " set_config('tcp_user_timeout', %(silent)s, false),"
    " set_config('tcp_keepalives_idle', '5', false),"
    " set_config('tcp_keepalives_interval', '5', false),"
    " set_config('tcp_keepalives_count', '2', false),"
    # What was answered must not be lost with the server; a stricter setting stays.
    " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)"
)
_PLACE = text(
    # The timeline: another one begins with a recovery to a point in time, and with a failover.
    "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/'"
    " || (SELECT oid::text FROM pg_database WHERE datname = current_database()) || '/'"
    " || 'meta'::regclass::oid::text"
)
_MAY_ASK_SERVER = text("SELECT has_function_privilege('pg_control_system()', 'execute')")
_SERVER = text("SELECT system_identifier::text FROM pg_control_system()")


class PostgresqlStore:
    """A database that this process writes to alone."""

    waits = True
    """A server may be away for a while, and so may a hub before this one be there still."""

    def __init__(self, url: Callable[[], str], ca_file: Path | None = None) -> None:
        """Both are read at every connection, so that a new password needs no restart.

        `ca_file`: authorities (PEM) by which the server is verified.
        """
        self._url = url
        self._ca_file = ca_file
        self._id = uuid.uuid4().hex
        self._name = f"pointsman-hub {self._id}"
        self._commits = 0
        self._place = ""
        self._socket: socket.socket | None = None
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
        )
        self.readers = create_async_engine(
            "postgresql+psycopg_async://",
            async_creator=self._connect_reader,
            pool_size=limits.READERS,
            max_overflow=limits.READERS,
            pool_pre_ping=True,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )

    @contextmanager
    def opening(self) -> Iterator[Connection]:
        """The first transaction, with the writer's lock; raises `StoreUnavailable`."""
        with self._engine.connect() as connection:
            self._take_lock(connection)
            yield connection
            connection.commit()
            connection.info[_CLAIMED] = True

    def claim(self, connection: Connection, stored: Mapping[str, str]) -> tuple[int, bool]:
        """Become the writer: how many commits there were, and whether the state is a backup's.

        A restored database lies elsewhere: its tables, its server or its timeline are others.
        """
        self._place = _place(connection)
        known = stored.get("place", "")
        restored = "place" in stored and known != self._place
        # Where it was restored the old place stays until an incarnation has begun.
        connection.execute(_said("writer", self._id))
        if "place" not in stored:
            connection.execute(_said("place", self._place))
        self._commits = int(stored.get("commits", 0))
        return self._commits, restored

    def kept(self) -> Mapping[str, str]:
        """Where the database lies now."""
        return {"place": self._place}

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, by the one writer; raises `StoreUnavailable` or `StoreLost`."""
        try:
            connection = self._guarded()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The server has closed it since the last commit: nothing was sent, so once more.
            connection = self._guarded()
        with connection:
            yield connection
            connection.commit()

    def committed(self, commits: int) -> None:
        """Remember a commit: a server that knows of fewer was set back."""
        self._commits = commits

    def interrupt(self) -> None:
        """Break the writer's connection: a server that says nothing would hold it for ever."""
        shared = self._socket
        if shared is not None:
            with suppress(OSError):
                shared.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the session and with it the lock."""
        self._engine.dispose()
        self._forget_socket()

    def _guarded(self) -> Connection:
        """A connection in a transaction that holds the writer's row."""
        connection = self._engine.connect()
        try:
            if not connection.info.get(_CLAIMED):
                # Before the lock: who has it now may keep it for ever.
                self._check_writer(connection.execute(_WRITER_SEEN).scalar())
                self._take_lock(connection)
                self._check_state(connection)
                connection.info[_CLAIMED] = True
            self._check_writer(connection.execute(_WRITER).scalar())
        except StoreUnavailable:
            # Not back into the pool: the session, and with it the lock, has to end.
            connection.invalidate()
            connection.close()
            raise
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_writer(self, writer: str | None) -> None:
        if writer != self._id:
            raise StoreLost("another hub has begun to write to this database")

    def _take_lock(self, connection: Connection) -> None:
        lock = {"lock": LOCK}
        if connection.execute(_TRY_LOCK, lock).scalar():
            return
        # It may be our own, held by a session whose end the server has not noticed: a commit that
        # is on its way over that connection is decided before this one goes on.
        connection.execute(_END_OWN, {"name": self._name})
        connection.execute(text(f"SET LOCAL lock_timeout = {limits.LOCK_WITHIN_MS}"))
        try:
            connection.execute(_LOCK, lock)
        except OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            connection.invalidate()
            raise StoreUnavailable("another hub writes to this database") from error
        connection.execute(text("SET LOCAL lock_timeout = 0"))

    def _check_state(self, connection: Connection) -> None:
        """What is in memory must be what is stored; raises `StoreLost`."""
        stored = {row.key: row.value for row in connection.execute(_COMMITS)}
        if _place(connection) != self._place:
            raise StoreLost("the database is not the one that it was: restored, or failed over")
        if int(stored.get("commits", 0)) < self._commits:
            # The next start has to see it too.
            connection.execute(_said("place", "set back"))
            connection.commit()
            raise StoreLost("the database was set back while this hub served")

    def _connect(self) -> psycopg.Connection[Any]:
        self._forget_socket()
        url, told = self._known_url()
        try:
            connection = psycopg.connect(url, **told | {"application_name": self._name})
        except psycopg.OperationalError as error:
            raise explained(error) from error
        if doubt := doubts(connection):
            warn_once(doubt)
        # A duplicate: the number of a closed one may be that of a sidecar's stream already.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        with connection.transaction():
            connection.execute(_SETTINGS, _settings())
        return connection

    async def _connect_reader(self) -> psycopg.AsyncConnection[Any]:
        url, told = self._known_url()
        try:
            connection = await psycopg.AsyncConnection.connect(url, **told)
        except psycopg.OperationalError as error:
            raise explained(error) from error
        async with connection.transaction():
            await connection.execute(_SETTINGS, _settings())
        return connection

    def _known_url(self) -> tuple[str, dict[str, Any]]:
        """The URL, and what libpq is told beside it."""
        try:
            url = self._url()
            return url, _parameters(url) | tls_parameters(url, self._ca_file)
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"where the database is cannot be read: {error}") from error

    def _forget_socket(self) -> None:
        shared, self._socket = self._socket, None
        if shared is not None:
            shared.close()


def url_in(path: Path) -> str:
    """The URL in that file; raises `ValueError`, which never shows it."""
    url = path.read_text().strip()
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError(f"{path} does not hold a URL that begins with postgresql://")
    try:
        conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        # What libpq says quotes parts of the URL, and a password may be among them.
        raise ValueError(
            f"{path} does not hold a PostgreSQL URL: encode special characters as %XX"
        ) from None
    return url


def _place(connection: Connection) -> str:
    """Which server, timeline, database and tables these are."""
    server = ""
    if connection.execute(_MAY_ASK_SERVER).scalar():
        server = str(connection.execute(_SERVER).scalar_one())
    return f"{server}/{connection.execute(_PLACE).scalar_one()}"


def _settings() -> dict[str, str]:
    return {
        "statement": str(limits.STATEMENT_MS),
        "idle": str(limits.IDLE_IN_TRANSACTION_MS),
        "silent": str(limits.SILENT_PEER_MS),
    }


def _said(key: str, value: str) -> Any:
    return update(meta).where(meta.c.key == key).values(value=value)


def _parameters(url: str) -> dict[str, Any]:
    """What the URL does not say itself: a writable server, and an end to waiting."""
    ours = {
        "application_name": "pointsman-hub readers",
        "connect_timeout": limits.CONNECT_WITHIN_S,
        "target_session_attrs": "read-write",
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": limits.SILENT_PEER_MS,
    }
    said = conninfo_to_dict(url)
    return {name: value for name, value in ours.items() if name not in said}
