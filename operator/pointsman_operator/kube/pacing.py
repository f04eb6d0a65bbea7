"""A token bucket: how fast we may call. Called by `api` before every call.

What presses (what follows from a user's edit) goes before all else, and a few tokens are kept for
it; the rest has a turn of its own among so many, so that it never starves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pointsman_operator.kube import limits

_PRESSING: ContextVar[bool] = ContextVar("pressing", default=False)


@contextmanager
def pressing() -> Iterator[None]:
    """Calls of this task within the block go before others'."""
    before = _PRESSING.set(True)
    try:
        yield
    finally:
        _PRESSING.reset(before)


class Pace:
    """So many calls a second, some at once after a pause; callers wait in their order."""

    def __init__(
        self,
        per_s: float = limits.WRITES_PER_S,
        at_once: float = limits.WRITES_AT_ONCE,
        kept: float = 0.0,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`kept` of those at once are for what presses; one is always left for the rest."""
        self._per_s = per_s
        self._at_once = at_once
        self._kept = min(kept, at_once - 1)
        self._now = now
        self._free = at_once
        self._looked_at: float | None = None
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}
        self._passed = 0
        """Calls that pressed and went before others that waited, since one of those went."""
        self._alarm: asyncio.TimerHandle | None = None

    async def take(self) -> None:
        """Wait for one call's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[_PRESSING.get()].append(turn)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # Its turn had come: it is the next one's.
                self._free += 1
                self._serve()
            raise

    def due(self, *, presses: bool) -> float:
        """Book one call if its turn is now; else seconds until it may be."""
        now = self._now() if self._now else asyncio.get_running_loop().time()
        if self._looked_at is not None:
            self._free = min(self._at_once, self._free + (now - self._looked_at) * self._per_s)
        self._looked_at = now
        starving = self._passed >= limits.WRITES_PASSED_MOST
        least = 1.0 if presses or starving else 1.0 + self._kept
        # Less than a thousandth of a call is what adding up floats leaves.
        if self._free < least - 0.001:
            return (least - self._free) / self._per_s
        self._free -= 1
        return 0.0

    def pause(self, seconds: float) -> None:
        """The server asked for quiet: nobody's turn comes before these seconds are over."""
        self._free = min(self._free, -seconds * self._per_s)

    def _serve(self) -> None:
        """Let everybody go whose turn it is, and set the alarm for the next one's."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while (presses := self._next()) is not None:
            wait_s = self.due(presses=presses)
            if wait_s > 0:
                self._alarm = asyncio.get_running_loop().call_later(wait_s, self._serve)
                return
            self._waiting[presses].popleft().set_result(None)
            self._passed = self._passed + 1 if presses and self._waits(presses=False) else 0

    def _next(self) -> bool | None:
        """Whether what presses is next; None: nobody waits."""
        if self._waits(presses=False) and self._passed >= limits.WRITES_PASSED_MOST:
            return False
        if self._waits(presses=True):
            return True
        return False if self._waits(presses=False) else None

    def _waits(self, *, presses: bool) -> bool:
        """Whether anybody does; those that gave up are let go."""
        waiting = self._waiting[presses]
        while waiting and waiting[0].cancelled():
            waiting.popleft()
        return bool(waiting)
