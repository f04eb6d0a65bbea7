"""How a limit is divided among those that want it: pure arithmetic.

Max-min fair: who wants little gets it all, the others get the same. Who cannot serve a single
call with its part comes first, in the order in which that began, so that small limits and large
calls have their turn, too.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pointsman_operator.hub import limits

H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Wish:
    """What one holder would like, and since when it can serve nothing with what it has."""

    want: int
    need: int
    lacking_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Division(Generic[H]):
    """Who is meant to have how much."""

    level: int | None
    """Nobody gets more without being in the line; None: all get what they want."""
    extra: int
    """Beyond that, where all get what they want: what lasts while the hub is away."""
    line: Mapping[H, int] = field(default_factory=dict)
    """Those that come first, in order, and what they need."""

    def meant(self, holder: H, want: int) -> int:
        """The holder's part."""
        first = self.line.get(holder)
        if first is not None:
            return first
        return want + self.extra if self.level is None else min(want, self.level)


def divided(total: int, wishes: Mapping[H, Wish]) -> Division[H]:
    """The parts of `total`; their sum is never above it."""
    level, left = filled(total, sorted(wish.want for wish in wishes.values()))
    line: dict[H, int] = {}
    for holder in _waiting(wishes):
        wish = wishes[holder]
        if level is None or min(wish.want, level) >= wish.need:
            continue
        claimed = sum(line.values()) + wish.need
        if claimed > total:
            continue
        line[holder] = wish.need
        others = sorted(it.want for key, it in wishes.items() if key not in line)
        level, left = filled(total - claimed, others)
    unmet = level is not None
    spread = len(wishes) - len(line)
    extra = 0 if unmet or not spread else left // limits.SPARE_DIVISOR // spread
    return Division(level, extra, line)


def filled(total: int, wants: Sequence[int]) -> tuple[int | None, int]:
    """The level up to which rising wants can be met, and what is left; None: all of them."""
    left = total
    for place, want in enumerate(wants):
        fair = left // (len(wants) - place)
        if want > fair:
            return fair, 0
        left -= want
    return None, left


def _waiting(wishes: Mapping[H, Wish]) -> list[H]:
    """Who can serve nothing, longest first."""
    since = {
        holder: wish.lacking_since_ms
        for holder, wish in wishes.items()
        if wish.lacking_since_ms is not None
    }
    return sorted(since, key=lambda holder: since[holder])[: limits.LINE_MAX]
