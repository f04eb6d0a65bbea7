"""Which limits are nearly used up, and which refuse calls: for the controller and for people.

Pure, over a clock that is given. What is told of a limit changes once a minute at most, so that one
that is used now more and now less is no storm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pointsman_operator.hub import limits
from pointsman_operator.hub.moments import rfc3339
from pointsman_operator.hub.quota.desk import Desk
from pointsman_operator.hub.quota.messages import Unit
from pointsman_operator.hub.quota.pot import Figures, Pot
from pointsman_operator.ledger.clock import Clock

FIELDS = {
    Unit.REQUESTS: "requestsPerMinute",
    Unit.TOKENS: "tokensPerMinute",
    Unit.IN_FLIGHT: "maxInFlight",
}
"""Of a ModelPool's model."""
OF_A_POOL = ("namespace", "pool", "model")
LimitName = tuple[str, Unit]


@dataclass(slots=True)
class Strain:
    """How one limit is used, as it was seen when it was looked at."""

    refused: int
    """Calls, so far."""
    near_looks: int = 0
    near_since_ms: int | None = None
    near_ms: int = 0
    refusing_since_ms: int | None = None
    refusing_ms: int = 0

    def look(self, figures: Figures, now_ms: int) -> None:
        """Take what is seen now."""
        near = self.near_since_ms is not None
        percent = limits.STRAIN_EASED_PERCENT if near else limits.STRAIN_NEAR_PERCENT
        used_up = figures.used * 100 >= figures.total * percent
        self.near_looks = self.near_looks + 1 if used_up else 0
        if used_up:
            self.near_ms = now_ms
        if near and now_ms - self.near_ms >= limits.STRAIN_HOLDS_MS:
            self.near_since_ms = None
        elif not near and self.near_looks > 1:
            self.near_since_ms = now_ms
        if figures.refused > self.refused:
            self.refusing_ms = now_ms
            if self.refusing_since_ms is None:
                self.refusing_since_ms = now_ms
        elif now_ms - self.refusing_ms >= limits.STRAIN_HOLDS_MS:
            self.refusing_since_ms = None
        self.refused = figures.refused

    @property
    def told(self) -> tuple[int | None, int | None]:
        """What of it is told: since when it is nearly used up, and refuses."""
        return self.near_since_ms, self.refusing_since_ms


class Strains:
    """Of every limit that is declared."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._known: dict[LimitName, Strain] = {}

    async def run(self, changed: Callable[[], None]) -> None:
        """Look for ever; `changed` hears of what the controller is told."""
        while True:
            await asyncio.sleep(limits.STRAIN_LOOK_S)
            if self.look(self._desk.standings(), self._desk.now_ms, self._clock.now_ms()):
                changed()

    def look(self, standings: Iterable[tuple[str, Unit, Pot]], desk_ms: int, now_ms: int) -> bool:
        """Bring all to what is known; whether anything changed of what is told."""
        before, self._known = self._known, {}
        changed = False
        for limit, unit, pot in standings:
            figures = pot.figures(desk_ms)
            # What was refused before it was first looked at is told, too.
            strain = before.pop((limit, unit), None) or Strain(0)
            told = strain.told
            strain.look(figures, now_ms)
            self._known[limit, unit] = strain
            changed |= strain.told != told
        return changed or any(strain.told != (None, None) for strain in before.values())

    def of(self, limit: str, unit: Unit) -> dict[str, str]:
        """What people are told of one."""
        known = self._known.get((limit, unit))
        return _moments(known) if known is not None else {}

    def told(self) -> list[dict[str, Any]]:
        """What the controller is told: those that are nearly used up or refuse, by name."""
        found = []
        for (limit, unit), strain in sorted(self._known.items()):
            name = dict(zip(OF_A_POOL, limit.split("/", 2), strict=False))
            if strain.told != (None, None) and len(name) == len(OF_A_POOL):
                found.append({**name, "limit": FIELDS[unit], **_moments(strain)})
        return found


def _moments(strain: Strain) -> dict[str, str]:
    found = {"near_since": strain.near_since_ms, "refusing_since": strain.refusing_since_ms}
    return {name: rfc3339(moment) for name, moment in found.items() if moment is not None}
