"""Ledger syncs over TLS for many holders in one process, on connections that they share.

Real engines open a connection each for a sync in thirty seconds. Thousands of handshakes a minute
in the process that plays the engines would measure that process; so holders take whichever
connection is free here, and what a handshake costs the hub is measured apart (`lease_holders`).
"""

from __future__ import annotations

import asyncio
import ssl
import time

KEPT_S = 4.0
"""A connection that was idle for longer is made anew: the hub ends it after five seconds."""
_OPENING_AT_ONCE = 8
_OPEN_AT_ONCE = 256


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

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; a broken connection is tried once more."""
        async with self._open:
            for _ in range(2):
                reader, writer = await self._connection()
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
                self._free.append((reader, writer, time.monotonic()))
                return answer
        return 0, b""

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # The one used last: the others get old and are let go.
        while self._free:
            reader, writer, used = self._free.pop()
            if time.monotonic() - used < KEPT_S and not reader.at_eof():
                return reader, writer
            writer.transport.abort()
        async with self._opening:
            self.opened += 1
            return await asyncio.open_connection(
                "127.0.0.1", self._port, ssl=self._context, server_hostname="localhost"
            )


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(
        int(line.partition(":")[2])
        for line in head.split("\r\n")
        if line.startswith("content-length:")
    )
    return int(head.split(" ", 2)[1]), await reader.readexactly(length)
