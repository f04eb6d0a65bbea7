"""Ledger syncs over TLS for many holders in one process, on connections that they share.

Real engines open a connection each for a sync in thirty seconds. Thousands of handshakes a minute
in the process that plays the engines would measure that process; so holders take whichever
connection is free here, and what a handshake costs the hub is measured apart (`lease_holders`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter

KEPT_S = 4.0
"""A connection that was idle for longer is made anew: the hub ends it after five seconds."""
_OPENING_AT_ONCE = 8
_OPEN_AT_ONCE = 256


class Stage:
    """How far a sync has come; counted where it is given up."""

    def __init__(self, gave_up: Counter[str]) -> None:
        self.name, self._gave_up = "place", gave_up

    def __enter__(self) -> None:
        """It begins by waiting for one of the connections that all share."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """It ends, one way or another."""
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            self._gave_up[self.name] += 1


class LedgerCaller:
    """The connections of one process's holders."""

    def __init__(self, port: int, token: str, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context
        self._head = (
            f"POST /v1/ledger/sync HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        )
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []
        self._opening = asyncio.Semaphore(_OPENING_AT_ONCE)
        self._open = asyncio.Semaphore(_OPEN_AT_ONCE)
        self.opened = 0
        self.gave_up: Counter[str] = Counter()
        """What those waited for whose time was over: a place here, a connection, the answer."""
        self.answers_ms: list[float] = []
        """From a request's last byte to its answer's: the hub's part, and this loop's lateness."""

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; a broken connection is tried once more."""
        stage = Stage(self.gave_up)
        with stage:
            return await self._post(body, stage)

    async def _post(self, body: bytes, stage: Stage) -> tuple[int, bytes]:
        async with self._open:
            for _ in range(2):
                stage.name = "connection"
                reader, writer = await self._connection()
                stage.name, sent = "answer", time.monotonic()
                try:
                    head = f"{self._head}content-type: application/json\r\n"
                    head += f"content-length: {len(body)}\r\n\r\n"
                    writer.write(head.encode() + body)
                    answer = await _read(reader)
                except (OSError, asyncio.IncompleteReadError):
                    writer.transport.abort()
                    continue
                except asyncio.CancelledError:
                    writer.transport.abort()
                    raise
                now = time.monotonic()
                self.answers_ms.append((now - sent) * 1000)
                self._free.append((reader, writer, now))
                return answer
        return 0, b""

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if kept := self._kept():
            return kept
        await self._opening.acquire()
        if kept := self._kept():
            self._opening.release()
            return kept
        self.opened += 1
        opening = asyncio.create_task(
            asyncio.open_connection(
                "127.0.0.1", self._port, ssl=self._context, server_hostname="localhost"
            )
        )
        opening.add_done_callback(lambda _: self._opening.release())
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # A handshake that is under way is for all who share: the next one takes it.
            opening.add_done_callback(self._keep)
            raise

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The one used last: the others get old and are let go."""
        while self._free:
            reader, writer, used = self._free.pop()
            if time.monotonic() - used < KEPT_S and not reader.at_eof():
                return reader, writer
            writer.transport.abort()
        return None

    def _keep(
        self, opening: asyncio.Task[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    ) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._free.append((*opening.result(), time.monotonic()))


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(
        int(line.partition(":")[2])
        for line in head.split("\r\n")
        if line.startswith("content-length:")
    )
    return int(head.split(" ", 2)[1]), await reader.readexactly(length)
