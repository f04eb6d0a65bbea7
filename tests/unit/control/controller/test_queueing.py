"""The coalescing queue: once however often added, one pair of hands, back after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from pointsman_operator.controller import limits
from pointsman_operator.controller.queueing import Queue


class Expected(Exception):  # noqa: N818 - a failure that passes
    """Passes."""


class Hands:
    """Notes what is worked on, and holds it while `open` is unset."""

    def __init__(self, lanes: int = 1) -> None:
        self.queue: Queue[str] = Queue(lanes)
        self.done: list[str] = []
        self.working: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.failing: dict[str, int] = {}
        self._moved = asyncio.Condition()

    async def handle(self, key: str, _lane: int) -> None:
        """Work."""
        assert key not in self.working, "a key is in one pair of hands"
        await self._note(lambda: self.working.add(key))
        await self.open.wait()
        self.working.discard(key)
        await self._note(lambda: self.done.append(key))
        if self.failing.get(key, 0) > 0:
            self.failing[key] -= 1
            raise Expected

    @asynccontextmanager
    async def at_work(self, workers: int = 3, lanes: int | None = None) -> AsyncIterator[None]:
        """While the block runs; `lanes` as of `Queue.work`."""
        work = partial(self.queue.work, self.handle, (Expected,), lanes)
        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as it holds."""
        async with asyncio.timeout(10), self._moved:
            await self._moved.wait_for(holds)

    async def until_done(self, count: int) -> None:
        """So many pieces of work are done."""
        await self.until(lambda: len(self.done) >= count)

    async def _note(self, change: Callable[[], None]) -> None:
        async with self._moved:
            change()
            self._moved.notify_all()


async def test_what_is_added_often_is_worked_on_once() -> None:
    """A hundred events before the work begins are one piece of work."""
    hands = Hands()
    for _ in range(100):
        hands.queue.add("a", 0.01)
    hands.queue.add("b", 0.02)
    async with hands.at_work():
        await hands.until_done(2)
    assert hands.done == ["a", "b"]
    assert len(hands.queue) == 0


async def test_what_is_added_during_its_work_is_worked_on_again() -> None:
    """An event that comes while its object is in hand is not lost."""
    hands = Hands()
    hands.open.clear()
    hands.queue.add("a")
    async with hands.at_work():
        await hands.until(lambda: "a" in hands.working)
        hands.queue.add("a")
        hands.queue.add("a")
        hands.open.set()
        await hands.until_done(2)
        await asyncio.sleep(0)
    assert hands.done == ["a", "a"]


async def test_an_earlier_time_wins() -> None:
    """Work that is due later is brought forward, never put off."""
    hands = Hands()
    hands.queue.add("a", 3600)
    hands.queue.add("a")
    hands.queue.add("a", 3600)
    async with hands.at_work(1):
        await hands.until_done(1)
    assert hands.done == ["a"]


async def test_a_failure_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again; others do not wait for it."""
    monkeypatch.setattr("pointsman_operator.controller.limits.BACKOFF_FIRST_S", 0.01)
    hands = Hands()
    hands.failing["a"] = 2
    hands.queue.add("a")
    hands.queue.add("b")
    async with hands.at_work(1):
        await hands.until_done(4)
    assert hands.done[:2] == ["a", "b"]
    assert hands.done.count("a") == 3


async def test_a_defect_is_not_swallowed() -> None:
    """Only failures of the world come back; anything else ends the worker."""
    queue: Queue[str] = Queue()
    queue.add("a")

    async def broken(_key: str, _lane: int) -> None:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        await queue.work(broken, (Expected,))


async def test_an_edit_goes_before_what_was_there_earlier() -> None:
    """A thousand pieces of a catch-up do not hold one edit up, and keep their order."""
    hands = Hands(lanes=2)
    later = [f"all-{number}" for number in range(1_000)]
    for key in later:
        hands.queue.add(key, lane=1)
    hands.open.clear()
    async with hands.at_work(1):
        await hands.until(lambda: "all-0" in hands.working)
        hands.queue.add("edit", lane=0)
        hands.open.set()
        await hands.until_done(1_001)
    assert hands.done[:2] == ["all-0", "edit"]
    assert [key for key in hands.done if key != "edit"] == later


async def test_no_lane_starves() -> None:
    """However many edits wait, each other lane gets its share of turns."""
    hands = Hands(lanes=3)
    for number in range(100):
        hands.queue.add(f"edit-{number}", lane=0)
    hands.queue.add("table", lane=1)
    hands.queue.add("status", lane=2)
    async with hands.at_work(1):
        await hands.until_done(102)
    assert hands.done.index("table") == limits.PASSED_MOST
    assert hands.done.index("status") == limits.PASSED_MOST + 1


async def test_an_edit_of_what_waits_already_takes_it_along() -> None:
    """A key waits once, in the best of the lanes in which it was added."""
    hands = Hands(lanes=2)
    for key in ("a", "b", "c"):
        hands.queue.add(key, lane=1)
    hands.queue.add("c", 3600, lane=0)
    async with hands.at_work(1):
        await hands.until_done(3)
        await asyncio.sleep(0)
    assert hands.done == ["c", "a", "b"]
    assert len(hands.queue) == 0


async def test_hands_that_are_kept_for_edits_take_nothing_else() -> None:
    """While a catch-up has every other hand, an edit still finds one."""
    hands = Hands(lanes=2)
    hands.queue.add("all", lane=1)
    async with hands.at_work(1, lanes=1):
        hands.queue.add("edit", lane=0)
        await hands.until_done(1)
        assert hands.done == ["edit"]
        assert len(hands.queue) == 1
