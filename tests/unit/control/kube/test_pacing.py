"""How fast we may write, and what is told twice."""

from __future__ import annotations

import pytest

from pointsman_operator.kube.api import retry_after
from pointsman_operator.kube.pacing import Pace


def test_a_burst_goes_at_once_and_the_rest_in_turn() -> None:
    """Four at once, then ten a second."""
    now = 0.0
    pace = Pace(per_s=10, at_once=4, now=lambda: now)
    assert [round(pace.due(), 6) for _ in range(7)] == [0, 0, 0, 0, 0.1, 0.2, 0.3]


def test_a_pause_fills_the_bucket_no_further_than_its_brim() -> None:
    """After an hour of quiet still only so many go at once."""
    now = [0.0]
    pace = Pace(per_s=10, at_once=2, now=lambda: now[0])
    pace.due()
    now[0] = 3600.0
    assert [round(pace.due(), 6) for _ in range(3)] == [0, 0, 0.1]


def test_a_server_that_asks_for_quiet_gets_it() -> None:
    """Nobody's turn comes before the Retry-After is over."""
    pace = Pace(per_s=10, at_once=2, now=lambda: 0.0)
    pace.pause(3)
    assert pace.due() == pytest.approx(3.1)


@pytest.mark.parametrize(
    ("header", "seconds"), [("2", 2), (None, 1), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), ("9999", 30)]
)
def test_retry_after_is_bounded(header: str | None, seconds: float) -> None:
    """Seconds are taken, up to half a minute; a date counts as one second."""
    assert retry_after(header) == seconds
