"""A fleet comes back to a hub that was killed; the full size is tests/scale/hub_reconnects.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.reconnects import measure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STREAMS = 300


async def test_a_fleet_returns_without_a_review_each(tmp_path: Path) -> None:
    """All back in 30 s although the keys changed, 20 reviews a second at most, the dead refused."""
    seen = await measure(tmp_path, STREAMS)
    assert seen.back_s <= 30, seen
    assert seen.most_reviews_in_a_second <= 20, seen
    # Only the pod that is not listed any more costs reviews, again after each refusal's time.
    assert seen.reviews < STREAMS // 2, seen
    assert seen.gone_refused_s <= 10, seen
    assert seen.deleted_refused_s <= 10, seen
