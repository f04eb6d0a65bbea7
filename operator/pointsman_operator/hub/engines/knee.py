"""The knee: from how many running calls on an endpoint's throughput rises no more. Pure.

It beats constants where the engine's own gauges are blind: a front end that is full reports no
queue, but tokens a second stay where they are while first tokens take ever longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pointsman_operator.hub.engines import limits


@dataclass(slots=True)
class _Bin:
    """What was seen at about so many running calls."""

    running: float
    tokens_per_s: float
    first_token_ms: float | None
    at_s: float
    samples: int = 1


class Knee:
    """Throughput and first tokens by running calls, of one endpoint since its start."""

    def __init__(self) -> None:
        self._bins: dict[int, _Bin] = {}

    def take(
        self, running: float, tokens_per_s: float, first_token_ms: float | None, now_s: float
    ) -> None:
        """What was seen over the last interval."""
        if running < 1:
            return
        step = round(limits.KNEE_STEPS * math.log2(running))
        found = self._bins.get(step)
        if found is None or now_s - found.at_s > limits.KNEE_FORGETS_S:
            self._bins[step] = _Bin(running, tokens_per_s, first_token_ms, now_s)
            return
        found.running = _moved(found.running, running)
        found.tokens_per_s = _moved(found.tokens_per_s, tokens_per_s)
        if first_token_ms is not None:
            before = found.first_token_ms
            found.first_token_ms = (
                first_token_ms if before is None else _moved(before, first_token_ms)
            )
        found.at_s = now_s
        found.samples += 1

    def found(self, now_s: float) -> float | None:
        """Running calls at the knee; None: none was seen, or nothing beyond it."""
        bins = [
            it
            for _, it in sorted(self._bins.items())
            if it.samples >= limits.KNEE_SAMPLES and now_s - it.at_s <= limits.KNEE_FORGETS_S
        ]
        if not bins:
            return None
        best = max(it.tokens_per_s for it in bins)
        knee = next(it for it in bins if it.tokens_per_s >= limits.KNEE_SHARE * best)
        if knee.running < limits.KNEE_LEAST or knee.first_token_ms is None:
            return None
        slower = limits.KNEE_SLOWER * knee.first_token_ms
        beyond = [it for it in bins if it.running >= limits.KNEE_BEYOND * knee.running]
        seen = any(it.first_token_ms is not None and it.first_token_ms >= slower for it in beyond)
        return knee.running if seen else None


def _moved(before: float, new: float) -> float:
    return before + limits.SMOOTHING * (new - before)
