"""Group commit: callers that arrive while a transaction runs share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from pointsman_operator.ledger.errors import LedgerError, TooBusy

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Collects items and commits them together, in their order; bounded."""

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        batch_max: int,
        waiting_max: int,
    ) -> None:
        self._commit = commit
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """The item's result once it is committed; raises what the commit raised, or `TooBusy`."""
        if len(self._waiting) >= self._waiting_max:
            raise TooBusy(f"{self._waiting_max} requests wait already")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        # Shielded: a caller that goes away must not cancel the others' transaction.
        return await asyncio.shield(future)

    async def close(self) -> None:
        """Wait until everything submitted is committed."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self._waiting:
                size = min(self._batch_max, len(self._waiting))
                await self._one([self._waiting.popleft() for _ in range(size)])
        finally:
            self._running = None

    async def _one(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
                # Read once: a caller that went away must not leave a complaint about it behind.
                future.exception()
            if not isinstance(error, LedgerError):
                raise
        else:
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)
