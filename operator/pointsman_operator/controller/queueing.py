"""A coalescing queue: a key waits once however often it is added, and is in one pair of hands.

A key that fails comes back after a pause that doubles; one that is added while in work is worked
on again afterwards. Order is by when a key is due.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from pointsman_operator.controller import limits

K = TypeVar("K", bound=Hashable)


class Queue(Generic[K]):
    """Keys and when they are due, in the running loop's time."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = itertools.count()
        self._working: set[K] = set()
        self._again: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        """Keys that are due or in work; not those that wait for their time."""
        now = asyncio.get_running_loop().time()
        return len(self._working) + sum(at <= now for at in self._due.values())

    def add(self, key: K, after_s: float = 0.0) -> None:
        """Work on the key in `after_s` seconds, or earlier if it is due earlier already."""
        at = asyncio.get_running_loop().time() + after_s
        if key in self._working:
            self._again[key] = min(at, self._again.get(key, at))
        elif key not in self._due or at < self._due[key]:
            self._due[key] = at
            heapq.heappush(self._heap, (at, next(self._count), key))
            self._woken.set()

    async def work(
        self, handle: Callable[[K], Awaitable[None]], expected: tuple[type[Exception], ...]
    ) -> None:
        """Take keys as they fall due, for ever; `expected` failures come back after a pause."""
        while True:
            key = await self._take()
            try:
                await handle(key)
            except expected:
                failures = self._failures[key] = self._failures.get(key, 0) + 1
                pause_s = limits.BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 16)
                self._done(key, min(pause_s, limits.BACKOFF_MOST_S))
            except BaseException:
                self._done(key, None)
                raise
            else:
                self._failures.pop(key, None)
                self._done(key, None)

    async def _take(self) -> K:
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            wait_s: float | None = None
            while self._heap:
                at, _, key = self._heap[0]
                if self._due.get(key) != at:
                    heapq.heappop(self._heap)
                    continue
                if at <= loop.time():
                    heapq.heappop(self._heap)
                    del self._due[key]
                    self._working.add(key)
                    return key
                wait_s = at - loop.time()
                break
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _done(self, key: K, after_s: float | None) -> None:
        self._working.discard(key)
        again = self._again.pop(key, None)
        now = asyncio.get_running_loop().time()
        if again is not None:
            self.add(key, max(0.0, again - now))
        elif after_s is not None:
            self.add(key, after_s)
