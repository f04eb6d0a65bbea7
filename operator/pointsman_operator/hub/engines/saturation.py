"""How full an endpoint is: the strongest of its signs, as a share of full, in five levels. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from pointsman_operator.compile.endpoints import Full
from pointsman_operator.hub.engines import limits


class Level(IntEnum):
    """What sidecars are told."""

    IDLE = 0
    LIGHT = 1
    BUSY = 2
    HEAVY = 3
    FULL = 4


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of an endpoint now; None: nothing."""

    waiting: float | None = None
    running: float | None = None
    kv: float | None = None
    preempting: bool = False
    knee: float | None = None
    """Running calls from which on throughput rises no more."""
    first_token_ms: float | None = None
    """As routers see it."""
    between_ms: float | None = None
    unloaded_between_ms: float | None = None
    first_token_alone: bool = False
    """It is one router's word, and there are others."""
    between_alone: bool = False
    """Likewise."""


def share(signs: Signs, full: Full) -> float:
    """The part of full that the strongest sign says; 0 without any."""
    found = [0.0]
    if signs.waiting is not None and full.max_queue:
        found.append(signs.waiting / full.max_queue)
    if signs.kv is not None and full.max_kv_cache_percent:
        found.append(100 * signs.kv / full.max_kv_cache_percent)
    if signs.preempting:
        found.append(1.0)
    if signs.running == 0 and not signs.waiting:
        # Whatever routers remember, there is nobody in it now.
        return max(found)
    if signs.first_token_ms is not None:
        part = signs.first_token_ms / full.max_first_token_ms
        found.append(min(part, limits.LONE_SHARE) if signs.first_token_alone else part)
    if signs.between_ms is not None and signs.unloaded_between_ms:
        slower = signs.between_ms / signs.unloaded_between_ms
        part = (slower - 1) / (limits.BETWEEN_FULL - 1)
        found.append(min(part, limits.LONE_SHARE) if signs.between_alone else part)
    if signs.running is not None and signs.knee:
        found.append(signs.running / signs.knee)
    return max(found)


def level(full_share: float, before: Level) -> Level:
    """The level of a share; one that was reached is left only well below where it began."""
    reached = sum(full_share >= begin for begin in limits.LEVEL_SHARES)
    kept = sum(full_share >= limits.LEVEL_MARGIN * begin for begin in limits.LEVEL_SHARES)
    return Level(max(reached, min(kept, before)))


class Gauge:
    """An endpoint's level over time: it rises at once and falls slowly."""

    def __init__(self) -> None:
        self.share = 0.0
        self.level = Level.IDLE
        self._at_s: float | None = None

    def take(self, full_share: float, now_s: float) -> Level:
        """The level after what was seen now."""
        passed_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        eased = self.share * 0.5 ** (passed_s / limits.SHARE_HALVES_S)
        self.share, self._at_s = max(min(full_share, limits.SHARE_MOST), eased), now_s
        self.level = level(self.share, self.level)
        return self.level
