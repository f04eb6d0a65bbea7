"""Durations in Go's notation."""

from __future__ import annotations

import pytest

from pointsman_operator.api.durations import between, milliseconds


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [("500ms", 500), ("30s", 30_000), ("15m", 900_000), ("1h30m", 5_400_000), ("1m1ms", 60_001)],
)
def test_units_add_up(text: str, expected_ms: int) -> None:
    """`m` is minutes and `ms` is milliseconds, also side by side."""
    assert milliseconds(text) == expected_ms


def test_bounds_are_included() -> None:
    """The least and the most are allowed, beyond them is refused with both named."""
    rule = between("1m", "24h")
    assert rule.check("1m") == "1m"
    assert rule.check("24h") == "24h"
    with pytest.raises(ValueError, match="between 1m and 24h"):
        rule.check("59s")
