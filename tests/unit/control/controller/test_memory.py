"""The controller's memory does not follow what waits in circles."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from pointsman_operator.controller.memory import free_circles


class _Circle:
    """Nobody's but its own."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def frozen() -> Iterator[None]:
    """What the test leaves out of the collector's books comes back; the collector itself rests."""
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("frozen")
def test_circles_are_freed_before_the_collector_would() -> None:
    """Both those from before and those that come later, and what was there is not looked at."""

    async def lives() -> None:
        before = weakref.ref(_Circle())
        task = asyncio.create_task(free_circles(0.01))
        await asyncio.sleep(0)
        assert before() is None
        assert gc.get_freeze_count() > 0
        freed = asyncio.Event()
        weakref.finalize(_Circle(), freed.set)
        assert not freed.is_set()
        await asyncio.wait_for(freed.wait(), 10)
        task.cancel()

    asyncio.run(lives())
