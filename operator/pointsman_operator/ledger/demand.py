"""Who wanted how much lately: the memory behind near-end decisions."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from pointsman_operator.ledger import limits

PotKey = tuple[str, str]
"""Account and window."""


@dataclass(slots=True)
class _Recent:
    needs: deque[int] = field(default_factory=lambda: deque(maxlen=limits.NEEDS_REMEMBERED))
    starved_until_ms: int = 0
    starved: Hashable = None
    """The holder that was turned away; nothing where several were."""
    turned_away: int = 0
    """The smallest need that was turned away since one was last met; 0: none."""
    last_turn_ms: int = 0
    """When the last of those may ask again who have been told a time."""


class Demand:
    """Recent needs by account and window, the least recently asked for dropped first."""

    def __init__(self) -> None:
        self._recent: OrderedDict[PotKey, _Recent] = OrderedDict()

    def note(self, key: PotKey, need: int, holder: Hashable, *, short: bool, now_ms: int) -> None:
        """A holder needed that much now; `short` when it could not be met."""
        recent = self._of(key)
        recent.needs.append(need)
        if not short:
            recent.turned_away = 0
        else:
            recent.turned_away = min(need, recent.turned_away or need)
            alone = now_ms >= recent.starved_until_ms or recent.starved == holder
            recent.starved = holder if alone else None
            recent.starved_until_ms = now_ms + limits.STARVED_FOR_MS

    def turn(self, key: PotKey, turns_per_second: int, now_ms: int) -> int:
        """In how many milliseconds a holder that is turned away now should ask again.

        Each one gets a turn of its own behind the others', so that however many ask, so many come
        in a second. Where that would be too late they are spread over the later half of the most.
        """
        recent = self._of(key)
        turn_ms = max(recent.last_turn_ms + 1000 // turns_per_second, now_ms + limits.AGAIN_MIN_MS)
        if turn_ms > now_ms + limits.AGAIN_MAX_MS:
            turn_ms = now_ms + limits.AGAIN_MAX_MS // 2
        recent.last_turn_ms = turn_ms
        return turn_ms - now_ms

    def needs(self, key: PotKey) -> Sequence[int]:
        """The latest needs, oldest first."""
        recent = self._recent.get(key)
        return tuple(recent.needs) if recent else ()

    def starved(self, key: PotKey, now_ms: int) -> bool:
        """Whether a need was turned away a moment ago."""
        recent = self._recent.get(key)
        return recent is not None and now_ms < recent.starved_until_ms

    def turned_away(self, key: PotKey) -> int:
        """The smallest need that was turned away since one was last met; 0: none, or forgotten."""
        recent = self._recent.get(key)
        return recent.turned_away if recent else 0

    def others_starve(self, key: PotKey, holder: Hashable, now_ms: int) -> bool:
        """Whether a need of somebody else was turned away a moment ago."""
        return self.starved(key, now_ms) and self._recent[key].starved != holder

    def _of(self, key: PotKey) -> _Recent:
        recent = self._recent.setdefault(key, _Recent())
        self._recent.move_to_end(key)
        if len(self._recent) > limits.POTS_REMEMBERED:
            self._recent.popitem(last=False)
        return recent
