"""Durations as users write them (`500ms`, `30s`, `1h30m`), milliseconds inside."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from pointsman_operator.api import bounds
from pointsman_operator.api.rules import Rule

_PART = re.compile(r"([0-9]+)(ms|s|m|h)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}

Duration = Annotated[
    str, Field(pattern=r"^([0-9]{1,6}(ms|s|m|h))+$", max_length=bounds.DURATION_LENGTH)
]
"""A duration in Go's notation without fractions."""


def milliseconds(text: str) -> int:
    """Milliseconds of a `Duration`."""
    return sum(int(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))


def between(least: str, most: str) -> Rule:
    """The rule that a duration lies between two others, both included."""
    low_ms, high_ms = milliseconds(least), milliseconds(most)
    return Rule(
        cel=f"duration(self) >= duration('{least}') && duration(self) <= duration('{most}')",
        message=f"must be between {least} and {most}",
        holds=lambda text: low_ms <= milliseconds(text) <= high_ms,
    )
