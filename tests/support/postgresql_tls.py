"""A PostgreSQL server of our own on loopback, with a certificate or without one, for tests.

It asks nobody for TLS or a password: who falls back to plain text gets in, and is seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.pki import Authority
from support.free_port import free_port
from support.postgresql_server import ROLE, PostgresqlServer, postgresql_server

HOST = "localhost"
"""What its certificate names."""
LISTENS = ("-c", "listen_addresses=127.0.0.1", "-c", "log_connections=on")
IN_TLS = (
    "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
    " WHERE usename = 'pointsman'"
)


@dataclass
class TlsServer:
    """One server, and the authority that signed for it."""

    server: PostgresqlServer
    authority: Authority
    _seen: int = 0

    def serve(self, *, tls: bool = True) -> None:
        """Serve anew, in TLS as well as without it, or without it alone."""
        self.server.stop()
        self.server.start(*LISTENS, *(self._certified() if tls else ()))

    def url(self, schema: str, *, host: str = HOST, more: str = "") -> str:
        """Over the network; `more` of its options, such as `&sslmode=require`."""
        options = quote(f"-csearch_path={schema}", safe="")
        place = f"{host}:{self.server.port}/{ROLE}?hostaddr=127.0.0.1"
        return f"postgresql://{ROLE}:secret@{place}&options={options}{more}"

    def encrypted(self) -> bool:
        """Whether all sessions of the hub's role, and there are some, are in TLS."""
        return self.server.ask(IN_TLS) == [(True,)]

    def let_in(self) -> int:
        """How many sessions of the hub's role began since this was asked last."""
        before = self._seen
        self._seen = self.server.log.read_text().count(f"connection authorized: user={ROLE}")
        return self._seen - before

    def write_authority(self, path: Path, *, other: bool = False) -> Path:
        """The server's authority as a file, or another one that bears its name."""
        authority = Authority("ca of tests") if other else self.authority
        path.write_bytes(authority.credential.certificate)
        return path

    def _certified(self) -> list[str]:
        folder = self.server.folder
        self.authority.issue(HOST, hosts=(HOST,)).write(folder, "server")
        # As PostgreSQL insists: nobody else may read it.
        owner = folder.stat()
        os.chown(folder / "server.key", owner.st_uid, owner.st_gid)
        files = (f"ssl_cert_file={folder / 'server.crt'}", f"ssl_key_file={folder / 'server.key'}")
        return [part for option in ("ssl=on", *files) for part in ("-c", option)]


@contextmanager
def postgresql_tls() -> Iterator[TlsServer]:
    """A running server with a certificate; skipped or failed as `postgresql_server` says."""
    with postgresql_server(free_port()) as server:
        made = TlsServer(server, Authority("ca of tests"))
        made.serve()
        yield made
