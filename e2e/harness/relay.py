"""Carries connections into a node's network namespace, where the tests themselves are not.

Run as a program of its own inside the namespace: `relay.py FD HOST PORT`. The descriptor is a
socket that listens outside: a socket stays in the network that it was made in.
"""

from __future__ import annotations

import asyncio
import socket
import sys

CHUNK_BYTES = 1 << 16


async def main() -> None:
    """Accept and carry until killed."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    host, port = sys.argv[2], int(sys.argv[3])

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, onwards = await asyncio.open_connection(host, port)
        except OSError:
            # The API server is away: outside it looks as if nobody listened, or nearly so.
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, onwards), _pump(there, writer))

    server = await asyncio.start_server(carry, sock=listening)
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction until its end, which is passed on."""
    try:
        while received := await reader.read(CHUNK_BYTES):
            writer.write(received)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except ConnectionError:
        writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(main())
