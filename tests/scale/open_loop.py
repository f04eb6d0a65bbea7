"""Callers of a sidecar from one process: as many as fit, or as many a second as are wanted."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from support.line import asked

OK, SHED = 200, 503
LAST_ANSWERS_S = 30.0
MOST_UNDER_WAY = 4_096
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@dataclass
class Asked:
    """Where a call goes and what it says."""

    url: str
    request: bytes = field(init=False)

    def __post_init__(self) -> None:
        content = json.dumps(asked()).encode()
        self.request = f"{HEAD}content-length: {len(content)}\r\n\r\n".encode() + content


@dataclass
class Seen:
    """What the callers of one loop saw; milliseconds from when a call was sent."""

    seconds: float
    admitted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: int = 0
    unsent: int = 0
    """Due, but this program had too many under way: the machine, not the sidecar, was full."""

    @property
    def goodput(self) -> float:
        """Answers of 200 a second."""
        return len(self.admitted) / self.seconds

    def admitted_ms(self, percent: int) -> float:
        """A percentile of those that were answered."""
        return _percentile(self.admitted, percent)

    def refused_ms(self, percent: int) -> float:
        """A percentile of those that were refused."""
        return _percentile(self.refused, percent)


async def closed_loop(what: Asked, callers: int, seconds: float) -> Seen:
    """So many callers, each with one call at a time."""
    seen = Seen(seconds)
    until = time.monotonic() + seconds

    async def caller() -> None:
        async with _Caller(what) as mine:
            while time.monotonic() < until:
                await mine.call(seen)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return seen


async def open_loop(what: Asked, rate: float, seconds: float) -> Seen:
    """Calls at a fixed rate, whatever becomes of those before; connections are kept."""
    seen = Seen(seconds)
    idle: deque[_Caller] = deque()
    running: set[asyncio.Task[None]] = set()

    async def one() -> None:
        # The longest idle first: none lies long enough to be closed.
        mine = idle.popleft() if idle else await _Caller(what).__aenter__()
        await mine.call(seen)
        idle.append(mine)

    began = time.monotonic()
    sent = 0
    while (now := time.monotonic()) < began + seconds:
        due = int((now - began) * rate)
        for _ in range(due - sent):
            if len(running) >= MOST_UNDER_WAY:
                seen.unsent += 1
                continue
            task = asyncio.create_task(one())
            running.add(task)
            task.add_done_callback(running.discard)
        sent = due
        await asyncio.sleep(0.001)
    if running:
        await asyncio.wait(running, timeout=LAST_ANSWERS_S)
    for mine in idle:
        await mine.__aexit__()
    return seen


class _Caller:
    """One kept connection."""

    def __init__(self, what: Asked) -> None:
        parts = urlsplit(what.url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._request = what.request

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def call(self, seen: Seen) -> None:
        """Ask once and note how it went."""
        sent = time.perf_counter()
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(row.partition(b":")[2])
            for row in head.lower().split(b"\r\n")
            if row.startswith(b"content-length:")
        )
        await self._reader.readexactly(length)
        took_ms = (time.perf_counter() - sent) * 1000
        status = int(head[9:12])
        if status == OK:
            seen.admitted.append(took_ms)
        elif status == SHED:
            seen.refused.append(took_ms)
        else:
            seen.other += 1


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
