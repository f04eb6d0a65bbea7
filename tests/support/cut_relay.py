"""Between a hub and PostgreSQL, on a Unix socket: passes bytes on, or breaks at a commit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

COMMIT = b"COMMIT"
PIECE = 65_536


class Cut(Enum):
    """What happens to the next commit; once."""

    NEVER = 0
    BEFORE = 1
    """The server never hears of it: both sides are closed."""
    AFTER = 2
    """It is done; the answer is lost and both sides are closed."""
    HELD = 3
    """The client's side is closed; the server's stays open, the commit undelivered."""
    FROZEN = 4
    """Nothing is passed on any more, and nothing is closed."""


class CutRelay:
    """Listens where libpq looks for a server: `FOLDER/.s.PGSQL.5432`."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.cut = Cut.NEVER
        self.commits = 0
        self.folder = folder
        self._server = server
        self._held: list[tuple[socket.socket, bytes]] = []
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def deliver(self) -> bool:
        """Bring the held commit to the server; whether the server still listened."""
        server, piece = self._held.pop()
        try:
            server.sendall(piece)
            return bool(server.recv(PIECE))
        except OSError:
            return False

    def close(self) -> None:
        """End everything."""
        for each in (self._listener, *self._open):
            _close(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(str(self._server))
                except OSError:
                    _close(client)
                    continue
                self._open += [client, server]
                for work in (self._outward, self._homeward):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _outward(self, client: socket.socket, server: socket.socket) -> None:
        """From the hub to the server."""
        with suppress(OSError):
            while piece := client.recv(PIECE):
                cut = self.cut
                if COMMIT in piece:
                    self.commits += 1
                    if cut is not Cut.NEVER and self._break(cut, client, server, piece):
                        return
                server.sendall(piece)
        _close(server)

    def _homeward(self, client: socket.socket, server: socket.socket) -> None:
        """From the server to the hub."""
        with suppress(OSError):
            while piece := server.recv(PIECE):
                client.sendall(piece)
        if not any(server is held for held, _ in self._held):
            _close(client)

    def _break(self, cut: Cut, client: socket.socket, server: socket.socket, piece: bytes) -> bool:
        """Break as told; whether this direction is over."""
        self.cut = Cut.NEVER
        if cut is Cut.FROZEN:
            return True
        if cut is Cut.HELD:
            self._held.append((server, piece))
            _close(client)
            return True
        _close(client)
        if cut is Cut.AFTER:
            # The server reads what was sent before it sees the end.
            server.sendall(piece)
        _close(server)
        return True


def _close(it: socket.socket) -> None:
    with suppress(OSError):
        it.shutdown(socket.SHUT_RDWR)
    it.close()


@contextmanager
def cut_relay(folder: Path, server: Path) -> Iterator[CutRelay]:
    """A relay; closed with the block."""
    relay = CutRelay(folder, server)
    try:
        yield relay
    finally:
        relay.close()
