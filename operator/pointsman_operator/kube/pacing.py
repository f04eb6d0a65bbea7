"""A token bucket: how fast we may write. Called by `api` before every call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pointsman_operator.kube import limits


class Pace:
    """So many calls a second, some at once after a pause; callers wait in their order."""

    def __init__(
        self,
        per_s: float = limits.WRITES_PER_S,
        at_once: float = limits.WRITES_AT_ONCE,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._now = now
        self._free = at_once
        self._looked_at: float | None = None
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Wait for one call's turn."""
        async with self._turn:
            wait_s = self.due()
            if wait_s > 0:
                await asyncio.sleep(wait_s)

    def due(self) -> float:
        """Book one call now; how long it has to wait for its turn, in seconds."""
        now = self._now() if self._now else asyncio.get_running_loop().time()
        if self._looked_at is not None:
            self._free = min(self._at_once, self._free + (now - self._looked_at) * self._per_s)
        self._looked_at = now
        self._free -= 1
        return max(0.0, -self._free / self._per_s)

    def pause(self, seconds: float) -> None:
        """The server asked for quiet: nobody's turn comes before these seconds are over."""
        self._free = min(self._free, -seconds * self._per_s)
