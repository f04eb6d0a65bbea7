"""Where connections come in: each in its turn, however many knock at once.

An event loop's own server begins every handshake that it can. When a whole fleet comes back, ten
thousand are then under way together, each gets a ten-thousandth of the processor, none is done
before nearly all are, and callers whose patience ends begin again. Here a few are begun each time
that the loop goes round, the longest waiting first: who is in gets its answer, whoever waits. Who
has given up meanwhile costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from pointsman_operator.hub import limits

LOGGER = logging.getLogger(__name__)
_LEFT = getattr(select, "POLLRDHUP", 0)
"""The peer has closed; where a system does not tell, its handshake fails instead."""


class Door:
    """Listens, and gives every connection its protocol, after its handshake if there is one."""

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        self._protocol = protocol
        self._context = context
        self._listening: list[socket.socket] = []
        self._waiting: deque[socket.socket] = deque()
        self._begun: set[asyncio.Task[None]] = set()
        self._admitting = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first address."""
        host, port = self._listening[0].getsockname()[:2]
        return str(host), int(port)

    async def open(self, host: str, port: int) -> None:
        """Listen on every address of that name; raises `OSError`."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            mine = socket.create_server(address, family=family, backlog=limits.LISTEN_QUEUE)
            mine.setblocking(False)
            self._listening.append(mine)
            self._listen(mine)

    def close(self) -> None:
        """Listen no longer, and let nobody in who still waits."""
        loop = asyncio.get_running_loop()
        for mine in self._listening:
            loop.remove_reader(mine)
            mine.close()
        while self._waiting:
            self._waiting.popleft().close()
        for task in self._begun:
            task.cancel()

    def _listen(self, mine: socket.socket) -> None:
        if mine.fileno() >= 0:
            asyncio.get_running_loop().add_reader(mine, self._take, mine)

    def _take(self, mine: socket.socket) -> None:
        """Who has knocked; the kernel's own queue is short."""
        try:
            while len(self._waiting) < limits.CONNECTIONS_WAITING_MAX:
                self._waiting.append(mine.accept()[0])
        except (BlockingIOError, ConnectionAbortedError):
            pass
        except OSError as error:
            LOGGER.warning("no connection can be accepted now: %s", error)
            self._pause(mine)
        else:
            self._pause(mine)
        if self._waiting and not self._admitting:
            self._admit()

    def _pause(self, mine: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(mine)
        loop.call_later(limits.ACCEPT_AGAIN_S, self._listen, mine)

    def _admit(self) -> None:
        """Begin with some; the next ones when the loop has been round."""
        loop = asyncio.get_running_loop()
        begun = 0
        while self._waiting and begun < limits.ADMITTED_AT_ONCE:
            connection = self._waiting.popleft()
            if _has_left(connection):
                connection.close()
                continue
            begun += 1
            task = loop.create_task(self._enter(connection))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)
        self._admitting = bool(self._waiting)
        if self._admitting:
            loop.call_soon(self._admit)

    async def _enter(self, connection: socket.socket) -> None:
        within_s = limits.HANDSHAKE_WITHIN_S if self._context is not None else None
        # A caller that is gone, or that speaks something else, is nobody's loss.
        with suppress(OSError):
            try:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                # Nobody owns it yet: from here on the loop closes what fails.
                connection.close()
                raise
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=within_s
            )


def _has_left(connection: socket.socket) -> bool:
    """Whether the peer has gone: its hello may still be there to be answered in vain."""
    looking = select.poll()
    looking.register(connection, _LEFT)
    return bool(looking.poll(0))
