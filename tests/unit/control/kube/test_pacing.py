"""How fast we may write, and what is told twice."""

from __future__ import annotations

import asyncio

import pytest

from pointsman_operator.kube import limits
from pointsman_operator.kube.api import retry_after
from pointsman_operator.kube.pacing import Pace, pressing


class Clock:
    """The time, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


def _all_that_go(pace: Pace, *, presses: bool) -> int:
    """How many calls may go now."""
    return next(count for count in range(1_000) if pace.due(presses=presses) > 0)


def test_a_burst_goes_at_once_and_the_rest_in_turn() -> None:
    """Four at once, then ten a second."""
    clock = Clock()
    pace = Pace(per_s=10, at_once=4, kept=0, now=clock)
    assert _all_that_go(pace, presses=False) == 4
    assert pace.due(presses=False) == pytest.approx(0.1)
    clock.now_s = 0.1
    assert _all_that_go(pace, presses=False) == 1


def test_a_pause_fills_the_bucket_no_further_than_its_brim() -> None:
    """After an hour of quiet still only so many go at once."""
    clock = Clock()
    pace = Pace(per_s=10, at_once=2, kept=0, now=clock)
    pace.due(presses=False)
    clock.now_s = 3600.0
    assert _all_that_go(pace, presses=False) == 2


def test_a_server_that_asks_for_quiet_gets_it() -> None:
    """Nobody's turn comes before the Retry-After is over."""
    pace = Pace(per_s=10, at_once=2, kept=0, now=lambda: 0.0)
    pace.pause(3)
    assert pace.due(presses=True) == pytest.approx(3.1)


def test_some_calls_are_kept_for_what_presses() -> None:
    """A catch-up leaves them; an edit finds them, and what it took is filled up first."""
    clock = Clock()
    pace = Pace(per_s=10, at_once=5, kept=3, now=clock)
    assert _all_that_go(pace, presses=False) == 2
    assert _all_that_go(pace, presses=True) == 3
    clock.now_s = 0.3
    assert pace.due(presses=False) == pytest.approx(0.1)
    assert pace.due(presses=True) == 0.0


@pytest.mark.parametrize("kept", [0, limits.WRITES_KEPT])
def test_a_small_bucket_serves_what_does_not_press(kept: int) -> None:
    """Token reviews press for nobody, and are one at a time: none is kept from them for ever."""
    clock = Clock()
    pace = Pace(limits.REVIEWS_PER_S, limits.REVIEWS_IN_A_ROW, kept, clock)
    assert _all_that_go(pace, presses=False) > 0
    clock.now_s = 1.0
    assert _all_that_go(pace, presses=False) > 0


async def test_what_presses_goes_before_what_waits_and_starves_nobody() -> None:
    """One of so many turns is for the others, however much presses."""
    pace = Pace(per_s=1_000, at_once=1, kept=0)
    await pace.take()
    went: list[str] = []

    async def call(name: str) -> None:
        await pace.take()
        went.append(name)

    async def pressing_call(name: str) -> None:
        with pressing():
            await call(name)

    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(call(f"all-{number}"))
        await asyncio.sleep(0)
        for number in range(2 * limits.WRITES_PASSED_MOST):
            group.create_task(pressing_call(f"edit-{number}"))
    first, second = went.index("all-0"), went.index("all-1")
    # One of the others' turns may have come before the edits were there.
    assert first <= limits.WRITES_PASSED_MOST + 1
    assert second - first <= limits.WRITES_PASSED_MOST + 1
    assert went.index("edit-0") <= 1


async def test_who_gives_up_leaves_its_turn_to_the_next() -> None:
    """Cancelled calls cost nobody anything."""
    pace = Pace(per_s=1_000, at_once=1, kept=0)
    await pace.take()
    given_up = [asyncio.create_task(pace.take()) for _ in range(100)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    async with asyncio.timeout(5):
        await pace.take()


@pytest.mark.parametrize(
    ("header", "seconds"), [("2", 2), (None, 1), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), ("9999", 30)]
)
def test_retry_after_is_bounded(header: str | None, seconds: float) -> None:
    """Seconds are taken, up to half a minute; a date counts as one second."""
    assert retry_after(header) == seconds
