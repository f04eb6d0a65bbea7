"""Many sidecars' streams in one process: they come back by the sidecar's own backoff."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass

from pointsman_sidecar.hub import Backoff
from pointsman_sidecar.limits import RECONNECT_MAX_S, STREAM_IDLE_S
from support.counted_cluster import NAMESPACE, CountedCluster
from support.eventually import eventually

ENDED = (OSError, asyncio.IncompleteReadError, TimeoutError, ssl.SSLError)


@dataclass
class Member:
    """One pod's stream."""

    uid: str
    token: str
    heard_at: float = 0.0
    """When its latest stream said its first line; 0 while it has none."""


class ReturningFleet:
    """All members, each following its stream in a task of its own."""

    def __init__(self, cluster: CountedCluster, count: int, trust: ssl.SSLContext) -> None:
        self.members = [Member(f"uid-{n}", cluster.add(f"uid-{n}")) for n in range(count)]
        self._trust = trust
        self._spread = count / 5_000
        self._address = ("", 0)
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, address: str) -> None:
        """Begin; the hub is there or will be."""
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._tasks = [asyncio.create_task(self._member(member)) for member in self.members]

    async def until_back(self, within_s: float, *, but: frozenset[str] = frozenset()) -> float:
        """Wait for every stream but those; when the last one was heard (monotonic)."""
        waited = [member for member in self.members if member.uid not in but]
        await asyncio.to_thread(
            eventually, lambda: all(member.heard_at for member in waited), within_s
        )
        return max(member.heard_at for member in waited)

    def connected(self) -> int:
        """How many streams are open and have spoken."""
        return sum(bool(member.heard_at) for member in self.members)

    async def close(self) -> None:
        """End all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _member(self, member: Member) -> None:
        # A fleet does not start in one moment; that it comes back in one is what is measured.
        await asyncio.sleep(Backoff(RECONNECT_MAX_S).wait_s() * self._spread)
        backoff = Backoff()
        while True:
            with suppress(*ENDED):
                await self._stream(member)
            if member.heard_at:
                backoff = Backoff()
            member.heard_at = 0.0
            await asyncio.sleep(backoff.wait_s())
            backoff = backoff.longer()

    async def _stream(self, member: Member) -> None:
        host, port = self._address
        async with asyncio.timeout(STREAM_IDLE_S):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=self._trust, server_hostname="localhost", limit=2**16
            )
        try:
            query = f"sidecar={member.uid}&boot=1&namespace={NAMESPACE}&labels=%7B%7D"
            head = f"GET /v1/stream?{query} HTTP/1.1\r\nhost: localhost\r\n"
            writer.write(f"{head}authorization: Bearer {member.token}\r\n\r\n".encode())
            async with asyncio.timeout(STREAM_IDLE_S):
                status = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            while status == b"200":
                async with asyncio.timeout(STREAM_IDLE_S):
                    line = await reader.readuntil(b"\n")
                if line.startswith(b"{"):
                    json.loads(line)
                    member.heard_at = member.heard_at or time.monotonic()
                elif line.startswith(b"0\r"):
                    return
        finally:
            writer.transport.abort()
