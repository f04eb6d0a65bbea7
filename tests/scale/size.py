"""How much of the full size a run is, and how long its endurance part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What `make scale` was asked for."""

    share: float
    """1.0: the size that the limits are for."""
    minutes: float
    """Of the part that watches memory over time."""
