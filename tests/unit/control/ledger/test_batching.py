"""Group commit: order, bounds, failures, and callers that go away."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pointsman_operator.ledger.batching import GroupCommit
from pointsman_operator.ledger.errors import StoreUnavailable, TooBusy


@dataclass
class Store:
    """Commits when it is told to; remembers its batches."""

    batches: list[list[int]] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    async def commit(self, batch: Sequence[int]) -> list[int]:
        """Double each number, or fail."""
        self.batches.append(list(batch))
        self.begun.set()
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return [2 * number for number in batch]


def group(store: Store) -> GroupCommit[int, int]:
    """At most three a batch, five waiting."""
    return GroupCommit(store.commit, batch_max=3, waiting_max=5)


async def started(
    store: Store, commits: GroupCommit[int, int], count: int
) -> list[asyncio.Task[int]]:
    """That many submissions, the first of them being committed."""
    tasks = [asyncio.create_task(commits.submit(number)) for number in range(count)]
    await store.begun.wait()
    return tasks


async def test_what_waits_shares_a_commit_in_order() -> None:
    """One commit runs; all that come meanwhile go together, at most a batch at a time."""
    store = Store()
    commits = group(store)
    tasks = await started(store, commits, 5)
    store.go.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
    assert [number for batch in store.batches for number in batch] == [0, 1, 2, 3, 4]
    assert max(map(len, store.batches)) <= 3


async def test_too_many_waiting_are_refused() -> None:
    """The queue is bounded."""
    store = Store()
    commits = group(store)
    tasks = await started(store, commits, 5)
    more = [asyncio.create_task(commits.submit(9)) for _ in range(4)]
    done, _ = await asyncio.wait(more, return_when=asyncio.FIRST_COMPLETED)
    assert isinstance(done.pop().exception(), TooBusy)
    store.go.set()
    await asyncio.gather(*tasks, *more, return_exceptions=True)


async def test_a_failed_commit_fails_its_callers_only() -> None:
    """Everybody in the batch hears why; the next batch is tried again."""
    store = Store(error=StoreUnavailable("full"))
    commits = group(store)
    store.go.set()
    with pytest.raises(StoreUnavailable, match="full"):
        await commits.submit(1)
    store.error = None
    assert await commits.submit(1) == 2


async def test_an_unexpected_error_reaches_the_callers_and_does_not_end_the_rest() -> None:
    """A bug in a commit is nobody's silent wait."""
    store = Store(error=RuntimeError("bug"))
    commits = group(store)
    store.go.set()
    with pytest.raises(RuntimeError, match="bug"):
        await commits.submit(1)
    store.error = None
    assert await commits.submit(2) == 4


async def test_a_caller_that_goes_away_does_not_undo_the_commit() -> None:
    """Its item is committed; closing waits for it."""
    store = Store()
    commits = group(store)
    (task,) = await started(store, commits, 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store.go.set()
    await commits.close()
    await commits.close()
    assert store.batches == [[0]]


async def test_a_failure_after_everybody_left_is_not_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody retrieves the exception, and nothing complains about that."""
    store = Store(error=StoreUnavailable("full"))
    commits = group(store)
    (task,) = await started(store, commits, 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store.go.set()
    await commits.close()
    del task, commits
    gc.collect()
    assert caplog.records == []
