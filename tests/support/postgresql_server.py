"""A PostgreSQL server of our own, on a Unix socket in a temporary folder, for tests.

It runs as an ordinary user, as PostgreSQL insists; it may be stopped, killed, frozen and started
again. Each test gets a schema of its own, which is much cheaper than a database.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from support.eventually import eventually

REQUIRE_ALL = "POINTSMAN_REQUIRE_ALL"
ROLE = "pointsman"
"""Owns the database and may nothing else: what a user is told to make."""
START_S = 60.0
PORT = 5432
_NUMBERS = itertools.count()


class PostgresqlServer:
    """One server and its data."""

    def __init__(self, programs: Path, folder: Path, port: int = PORT) -> None:
        """`port` names the socket; it is one of the network's once `start` is told to listen."""
        self.programs = programs
        self.folder = folder
        self.port = port
        self._child: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
        self.start()
        self.ask(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'secret'", "postgres")
        self.ask(f"CREATE DATABASE {ROLE} OWNER {ROLE}", "postgres")

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self.folder / f".s.PGSQL.{self.port}"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "log"

    def start(self, *options: str) -> None:
        """Serve; without syncs, which a test that survives only the process does not need."""
        fast = ["-c", "fsync=off", "-c", "listen_addresses=", "-p", str(self.port)]
        command = [str(self.programs / "postgres"), "-D", str(self.data), "-k", str(self.folder)]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*command, *fast, *options], stdout=log, stderr=log, **_ordinary_user()
            )
        eventually(self._answers, within_s=START_S)

    def stop(self) -> None:
        """As an administrator does: open sessions are ended."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut does, all its processes at once."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def url(self, schema: str = "public", folder: Path | None = None) -> str:
        """How the hub is told; another folder holds another socket, as a relay's."""
        where = quote(str(folder or self.folder), safe="")
        options = quote(f"-csearch_path={schema}", safe="")
        return f"postgresql://{ROLE}:secret@/{ROLE}?host={where}&options={options}"

    @contextmanager
    def schema(self) -> Iterator[str]:
        """A schema for one test."""
        name = f"test_{next(_NUMBERS)}"
        self.ask(f"CREATE SCHEMA {name} AUTHORIZATION {ROLE}")
        yield name
        self.ask(f"DROP SCHEMA IF EXISTS {name} CASCADE")

    @contextmanager
    def database(self) -> Iterator[str]:
        """A database for one test, as a user has it; its URL."""
        name = f"own_{next(_NUMBERS)}"
        self.ask(f"CREATE DATABASE {name} OWNER {ROLE}")
        yield f"postgresql://{ROLE}:secret@/{name}?host={quote(str(self.folder), safe='')}"
        self.ask(f"DROP DATABASE {name} WITH (FORCE)")

    def ask(self, statement: str, database: str = ROLE) -> list[tuple[object, ...]]:
        """Run a statement as the administrator; its rows."""
        with psycopg.connect(self._admin(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def set_meta(self, schema: str, key: str, value: str) -> None:
        """Falsify what a ledger keeps of itself."""
        change = sql.SQL("UPDATE {}.meta SET value = {} WHERE key = {}")
        with psycopg.connect(self._admin(ROLE), autocommit=True) as connection:
            connection.execute(change.format(sql.Identifier(schema), value, key))

    def run(self, program: str, *arguments: str | Path, given: bytes = b"") -> bytes:
        """One of PostgreSQL's programs; what it writes."""
        command = [str(self.programs / program), *map(str, arguments)]
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            command, input=given, capture_output=True, check=False, **_ordinary_user()
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _admin(self, database: str) -> str:
        place = f"host={self.folder} port={self.port}"
        return f"{place} user=postgres dbname={database} connect_timeout=10"

    def _answers(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, self.log.read_text()
        try:
            psycopg.connect(self._admin("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, number: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.send_signal(number)
            child.wait(timeout=30)


@contextmanager
def postgresql_server(port: int = PORT) -> Iterator[PostgresqlServer]:
    """A running server; where the programs lack, the test is skipped, in CI it fails."""
    programs = find_programs()
    if programs is None:
        lacking = "needs PostgreSQL's server: apt-get install postgresql"
        if os.environ.get(REQUIRE_ALL):
            pytest.fail(f"{lacking} ({REQUIRE_ALL} is set)")
        pytest.skip(lacking)
    folder = Path(tempfile.mkdtemp(prefix="pm-pg-"))
    server = None
    try:
        server = PostgresqlServer(programs, folder, port)
        yield server
    finally:
        if server is not None:
            server.kill()
        shutil.rmtree(folder)


def find_programs() -> Path | None:
    """The folder of the newest `postgres`: Debian keeps each version's beside the PATH."""
    found = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return max(found, key=lambda path: int(path.parts[-3])).parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


def _ordinary_user() -> dict[str, Any]:
    """PostgreSQL refuses to be root; of an ordinary user nothing is asked."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
