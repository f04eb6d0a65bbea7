"""One endpoint: what its page and its routers said, and what follows from it. No I/O."""

from __future__ import annotations

from dataclasses import replace

from pointsman_operator.compile.endpoints import Full
from pointsman_operator.hub.engines import limits
from pointsman_operator.hub.engines.exposition import Reading
from pointsman_operator.hub.engines.knee import Knee
from pointsman_operator.hub.engines.routers import Routers
from pointsman_operator.hub.engines.saturation import Gauge, Level, Signs, share

MS = 1_000


class Endpoint:
    """Kept as long as its address is among its model's endpoints."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ready = False
        self.asked = False
        """Whether its page has been asked for once; before, it is told to nobody."""
        self.asleep = False
        """It stays so until a page says otherwise: silence is no sign of waking."""
        self.routers = Routers()
        self.gauge = Gauge()
        self._knee = Knee()
        self._reading: Reading | None = None
        self._read_at_s = 0.0
        self._preempted_at_s = float("-inf")
        self._between_ms: float | None = None
        self._unloaded_ms: float | None = None
        self._drifted_at_s = 0.0

    @property
    def usable(self) -> bool:
        """Whether calls may go there."""
        return self.ready and self.asked and not self.asleep

    def take(self, reading: Reading, now_s: float) -> None:
        """A page was read."""
        before, since_s = self._reading, now_s - self._read_at_s
        if before is None or _restarted(before, reading):
            if before is not None:
                self._knee, self._unloaded_ms, self._between_ms = Knee(), None, None
        else:
            self._compare(before, reading, since_s, now_s)
        if reading.asleep is not None:
            self.asleep = reading.asleep
        self._reading, self._read_at_s = reading, now_s

    def look(self, full: Full, now_s: float) -> Level:
        """Its level now."""
        signs = self._signs(full, now_s)
        if signs.between_ms is not None:
            self._learn_unloaded(self._least_between_ms(now_s), now_s)
            signs = replace(signs, unloaded_between_ms=self._unloaded_ms)
        return self.gauge.take(share(signs, full), now_s)

    def _signs(self, full: Full, now_s: float) -> Signs:
        first, between = self.routers.first_token_ms(now_s), self.routers.between_ms(now_s)
        seen = Signs(
            first_token_ms=first.ms if first else None,
            first_token_alone=first is not None and not first.borne_out,
            between_ms=between.ms if between else None,
            between_alone=between is not None and not between.borne_out,
        )
        reading = self._reading
        stale_s = (full.metrics_stale_ms or 0) / MS
        if reading is None or now_s - self._read_at_s > stale_s:
            return seen
        return replace(
            seen,
            waiting=reading.waiting,
            running=reading.running,
            kv=reading.kv,
            preempting=now_s - self._preempted_at_s <= limits.PREEMPTED_FOR_S,
            knee=self._knee.found(now_s),
            between_ms=seen.between_ms if self._between_ms is None else self._between_ms,
            between_alone=seen.between_alone and self._between_ms is None,
        )

    def _compare(self, before: Reading, now: Reading, since_s: float, now_s: float) -> None:
        """What counters tell only together with their last value."""
        if (_gain(before.preemptions, now.preemptions) or 0) > 0:
            self._preempted_at_s = now_s
        tokens = _gain(before.tokens, now.tokens)
        if since_s > 0 and tokens is not None and now.running is not None and before.running:
            word = self.routers.first_token_ms(now_s)
            first_token_ms = word.ms if word and word.borne_out else None
            running = (before.running + now.running) / 2
            self._knee.take(running, tokens / since_s, first_token_ms, now_s)
        between_s = _gain(before.between_s, now.between_s)
        between_n = _gain(before.between_n, now.between_n)
        self._between_ms = MS * between_s / between_n if between_s and between_n else None

    def _least_between_ms(self, now_s: float) -> float | None:
        """What may lower the unloaded time: the engine's own word, or what most routers say."""
        if self._between_ms is not None:
            return self._between_ms
        word = self.routers.between_ms(now_s)
        return word.upper_ms if word and word.borne_out else None

    def _learn_unloaded(self, between_ms: float | None, now_s: float) -> None:
        if between_ms is None:
            return
        known = self._unloaded_ms
        drift = limits.SLOWER_PER_S ** max(0.0, now_s - self._drifted_at_s)
        self._unloaded_ms = between_ms if known is None else min(known * drift, between_ms)
        self._drifted_at_s = now_s


def _gain(before: float | None, now: float | None) -> float | None:
    return now - before if before is not None and now is not None and now >= before else None


def _restarted(before: Reading, now: Reading) -> bool:
    """A counter fell: another engine answers at this address."""
    return before.tokens is not None and now.tokens is not None and now.tokens < before.tokens
