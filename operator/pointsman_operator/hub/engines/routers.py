"""What routers see of one endpoint: first tokens and tokens' pace, weighted by recent calls.

Counters and averages come from sidecars' reports; the more calls a report newly stands for, and the
younger it is, the more it counts. An average that stands still while calls are served is of streams
long ago: it must not keep an endpoint full for an app that streams no more.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pointsman_operator.hub.engines import limits

Milliseconds = Annotated[float, Field(ge=0, le=limits.REPORTED_MS_MAX, allow_inf_nan=False)]
Counted = Annotated[int, Field(ge=0, le=limits.REPORTED_COUNT_MAX)]


class Seen(BaseModel):
    """One router's words on one endpoint (docs/contracts.md 3); 0 milliseconds: none seen yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    first_token_ms: Milliseconds = 0
    between_tokens_ms: Milliseconds = 0
    in_flight: Counted = 0
    served: Counted = 0
    failed: Counted = 0


@dataclass(slots=True)
class _Row:
    seen: Seen
    weight: float
    at_s: float

    def weight_at(self, now_s: float) -> float:
        return self.weight * math.exp(-max(0.0, now_s - self.at_s) / limits.FIRST_TOKENS_FOR_S)


class Routers:
    """All routers that report on one endpoint."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, _Row] = OrderedDict()

    def take(self, router: str, seen: Seen, now_s: float) -> None:
        """A report; `router` names one start of one sidecar, whose counters it continues."""
        known = self._rows.get(router)
        if known is None:
            # What it served before we knew it is no news; that it speaks of it at all counts a bit.
            new, before = min(seen.served, 1), 0.0
        else:
            # Plain answers are served, too: where no figure moves, no stream was seen.
            moved = _paces(seen) != _paces(known.seen)
            new = max(0, seen.served - known.seen.served) if moved else 0
            before = known.weight_at(now_s)
        self._rows[router] = _Row(seen, before + new, now_s)
        self._rows.move_to_end(router)
        if len(self._rows) > limits.ROUTERS_MAX:
            self._rows.popitem(last=False)

    def first_token_ms(self, now_s: float) -> float | None:
        """Over routers that have served calls of late."""
        return self._mean("first_token_ms", now_s)

    def between_ms(self, now_s: float) -> float | None:
        """Between two tokens, over the same."""
        return self._mean("between_tokens_ms", now_s)

    def _mean(self, name: str, now_s: float) -> float | None:
        found = [
            (value, row.weight_at(now_s))
            for row in self._rows.values()
            if (value := getattr(row.seen, name)) > 0
        ]
        weight = sum(part for _, part in found)
        if weight < limits.FIRST_TOKENS_LEAST:
            return None
        total: float = sum(value * part for value, part in found)
        return total / weight


def _paces(seen: Seen) -> tuple[float, float]:
    return seen.first_token_ms, seen.between_tokens_ms
