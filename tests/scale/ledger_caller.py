"""Ledger syncs over TLS, as engines send them: one connection a holder, while the hub keeps it."""

from __future__ import annotations

import asyncio
import ssl
import time

KEPT_S = 4.0
"""A connection that was idle for longer is made anew: the hub ends it after five seconds."""
_OPENING_AT_ONCE = 64


class LedgerCaller:
    """The connections of one process's holders."""

    def __init__(self, port: int, token: str, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context
        self._head = (
            f"POST /v1/ledger/sync HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        )
        self._kept: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = {}
        self._opening = asyncio.Semaphore(_OPENING_AT_ONCE)
        self.opened = 0

    async def post(self, holder: int, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; a broken connection is tried once more."""
        for _ in range(2):
            reader, writer = await self._connection(holder)
            try:
                head = f"{self._head}content-type: application/json\r\ncontent-length: {len(body)}"
                writer.write(head.encode() + b"\r\n\r\n" + body)
                answer = await _read(reader)
            except (OSError, asyncio.IncompleteReadError):
                writer.transport.abort()
                continue
            except asyncio.CancelledError:
                writer.transport.abort()
                raise
            self._kept[holder] = (reader, writer, time.monotonic())
            return answer
        return 0, b""

    async def _connection(self, holder: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer, used = self._kept.pop(holder, (None, None, 0.0))
        if reader is not None and writer is not None:
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
