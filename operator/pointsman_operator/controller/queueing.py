"""A coalescing queue: a key waits once however often it is added, and is in one pair of hands.

A key that fails comes back after a pause that doubles; one that is added while in work is worked
on again afterwards. Keys wait in lanes: the first one's go before all others, in the order in which
they fell due; a lane that others have passed for long enough has the next turn, so none starves.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pointsman_operator.controller import limits

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Place:
    """When a key is due, in which lane; `number` tells it from earlier places of the same key."""

    at: float
    lane: int
    number: int


class Queue(Generic[K]):
    """Keys and when they are due, in the running loop's time."""

    def __init__(self, lanes: int = 1) -> None:
        self._waiting: dict[K, _Place] = {}
        self._later: list[tuple[float, int, K]] = []
        self._ready: list[deque[tuple[int, K]]] = [deque() for _ in range(lanes)]
        self._passed = [0] * lanes
        """How often others went first while a lane had something ready."""
        self._count = itertools.count()
        self._working: dict[K, int] = {}
        """With the lane that they came from."""
        self._again: dict[K, tuple[float, int]] = {}
        self._failures: dict[K, int] = {}
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        """Keys that are due or in work; not those that wait for their time."""
        now = asyncio.get_running_loop().time()
        return len(self._working) + sum(it.at <= now for it in self._waiting.values())

    def add(self, key: K, after_s: float = 0.0, lane: int = 0) -> None:
        """Work on the key in `after_s` seconds, or earlier if it is due earlier already.

        One that waits already keeps the better of both lanes.
        """
        at = asyncio.get_running_loop().time() + after_s
        if key in self._working:
            known = self._again.get(key, (at, lane))
            self._again[key] = (min(at, known[0]), min(lane, known[1]))
            return
        place = self._waiting.get(key)
        if place is not None:
            if at >= place.at and lane >= place.lane:
                return
            at, lane = min(at, place.at), min(lane, place.lane)
        number = next(self._count)
        self._waiting[key] = _Place(at, lane, number)
        heapq.heappush(self._later, (at, number, key))
        self._woken.set()

    async def work(
        self,
        handle: Callable[[K, int], Awaitable[None]],
        expected: tuple[type[Exception], ...],
        lanes: int | None = None,
    ) -> None:
        """Take keys as they fall due, for ever; `expected` failures come back after a pause.

        `handle` is told the key and its lane; `lanes`: take from the first so many only.
        """
        while True:
            key = await self._take(len(self._ready) if lanes is None else lanes)
            try:
                await handle(key, self._working[key])
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

    async def _take(self, lanes: int) -> K:
        while True:
            self._woken.clear()
            wait_s = self._fall_due()
            lane = self._next_lane(lanes)
            if lane is not None:
                _, key = self._ready[lane].popleft()
                del self._waiting[key]
                self._working[key] = lane
                return key
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _fall_due(self) -> float | None:
        """Move what is due into its lane; seconds until more is, None where nothing waits."""
        now = asyncio.get_running_loop().time()
        while self._later:
            at, number, key = self._later[0]
            place = self._waiting.get(key)
            if place is not None and place.number == number:
                if at > now:
                    return at - now
                self._ready[place.lane].append((number, key))
            heapq.heappop(self._later)
        return None

    def _next_lane(self, lanes: int) -> int | None:
        """Whose turn it is among the first `lanes`; None: nothing is ready there."""
        ready = [lane for lane in range(lanes) if self._has_ready(lane)]
        if not ready:
            return None
        longest = max(ready, key=lambda lane: self._passed[lane])
        chosen = longest if self._passed[longest] >= limits.PASSED_MOST else ready[0]
        for lane in ready:
            self._passed[lane] += lane > chosen
        self._passed[chosen] = 0
        return chosen

    def _has_ready(self, lane: int) -> bool:
        """Whether a key waits there; places that keys have left are cleared away."""
        keys = self._ready[lane]
        while keys:
            number, key = keys[0]
            place = self._waiting.get(key)
            if place is not None and place.number == number:
                return True
            keys.popleft()
        return False

    def _done(self, key: K, after_s: float | None) -> None:
        lane = self._working.pop(key)
        again = self._again.pop(key, None)
        now = asyncio.get_running_loop().time()
        if again is not None:
            self.add(key, max(0.0, again[0] - now), again[1])
        elif after_s is not None:
            self.add(key, after_s, lane)
