"""What routers see of one endpoint: first tokens and tokens' pace, by the pods that call it now.

Reports are a pod's own word, and whoever shares an endpoint suffers from it. So each pod has one
voice however much it claims to call, the median counts, and a lone voice among several pods is not
borne out: what follows from it stays below full. An average that stands still while calls are
served is of streams long ago: it gives an app that streams no more no voice.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, NamedTuple

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


class Word(NamedTuple):
    """What routers agree on."""

    ms: float
    """More than half of the pods say as much, or more."""
    upper_ms: float
    """More than half say as little, or less."""
    borne_out: bool
    """More than one pod says so, or there is only one."""


@dataclass(slots=True)
class _Row:
    boot: str
    seen: Seen
    weight: float
    at_s: float

    def weight_at(self, now_s: float) -> float:
        return self.weight * math.exp(-max(0.0, now_s - self.at_s) / limits.FIRST_TOKENS_FOR_S)


class Routers:
    """All pods whose routers report on one endpoint, one voice each."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, _Row] = OrderedDict()

    def take(self, pod: str, boot: str, seen: Seen, now_s: float) -> None:
        """A report. `pod` is who a token proves it to be, `boot` whose counters it continues."""
        known = self._rows.get(pod)
        if known is None or known.boot != boot:
            # What it served before we knew it is no news; that it speaks of it at all counts a bit.
            new, before = min(seen.served, 1), known.weight_at(now_s) if known else 0.0
        else:
            # Plain answers are served, too: where no figure moves, no stream was seen.
            moved = _paces(seen) != _paces(known.seen)
            new = max(0, seen.served - known.seen.served) if moved else 0
            before = known.weight_at(now_s)
        weight = min(before + new, limits.FIRST_TOKENS_MOST)
        self._rows[pod] = _Row(boot, seen, weight, now_s)
        self._rows.move_to_end(pod)
        if len(self._rows) > limits.ROUTERS_MAX:
            self._rows.popitem(last=False)

    def first_token_ms(self, now_s: float) -> Word | None:
        """By the pods that have had calls answered of late."""
        return self._median("first_token_ms", now_s)

    def between_ms(self, now_s: float) -> Word | None:
        """Between two tokens, by the same."""
        return self._median("between_tokens_ms", now_s)

    def _median(self, name: str, now_s: float) -> Word | None:
        found = sorted(
            value
            for row in self._rows.values()
            if (value := getattr(row.seen, name)) > 0
            and row.weight_at(now_s) >= limits.FIRST_TOKENS_LEAST
        )
        if not found:
            return None
        there = sum(now_s - row.at_s < limits.ROUTER_THERE_S for row in self._rows.values())
        lower, upper = found[(len(found) - 1) // 2], found[len(found) // 2]
        return Word(lower, upper, borne_out=len(found) > 1 or there <= 1)


def _paces(seen: Seen) -> tuple[float, float]:
    return seen.first_token_ms, seen.between_tokens_ms
