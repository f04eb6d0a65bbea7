"""How much of a limit a holder wants to hold: the engine's rules (core/src/budget/demand.rs)."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_LEASE_PICO, FIRST_LEASE_SHARE, PREFETCH_SHARE = 10**11, 1_000, 2
HORIZON_S = 900
"""The Budget's `outageHorizon`: what a lease should last for without the hub."""
_MEASURED_AFTER_S, _STEADY_AFTER_S = 1.0, 10.0


@dataclass(slots=True)
class Demand:
    """One holder's recent needs of one account, picodollars."""

    limit: int
    rate: int = 0
    chunk: int = 0
    dearest: int = 0
    seen_s: float = 0.0
    seen_spent: int = 0
    short_s: float = -1e9
    recalled_until_s: float = 0.0
    steady: int = 0
    """Spent a second, over tens of seconds."""
    steady_s: float | None = None
    steady_spent: int = 0

    def note_short(self, need: int, now_s: float, renew_s: float) -> None:
        """Callers were short: the chunk doubles where that comes early again."""
        early = now_s - self.short_s < renew_s
        self.chunk = max(need, self.chunk * 2) if early else need
        self.short_s = now_s

    def recall(self, now_s: float, renew_s: float) -> None:
        """The hub wants money back: only what callers wait for, for one renewal."""
        self.chunk = 0
        self.recalled_until_s = now_s + renew_s

    def measure(self, spent: int, now_s: float, renew_s: float) -> None:
        """Follow the rate of spending, per renewal."""
        self._measure_steady(spent, now_s)
        elapsed_s = now_s - self.seen_s
        if elapsed_s < min(renew_s, _MEASURED_AFTER_S):
            return
        rate = int((spent - self.seen_spent) * renew_s / elapsed_s)
        self.rate = rate if rate > self.rate else self.rate // 2 + rate // 2
        self.seen_spent, self.seen_s = spent, now_s
        if elapsed_s >= renew_s:
            self.chunk //= 2

    def target(self, now_s: float) -> int:
        """The free part to aim at."""
        if now_s < self.recalled_until_s:
            return 0
        return max(2 * self.rate, self.chunk, 2 * self.dearest)

    def prefetch(self, free: int, remaining: int | None, now_s: float) -> int:
        """What to fetch beyond need."""
        if now_s < self.recalled_until_s:
            return 0
        first = min(FIRST_LEASE_PICO, self.limit // FIRST_LEASE_SHARE)
        wished = max(0, max(self.target(now_s), first) - free)
        return min(wished, first if remaining is None else remaining // PREFETCH_SHARE)

    def reserve(self, free: int, remaining: int | None, now_s: float) -> int:
        """What would last through an outage, beyond what is free."""
        if now_s < self.recalled_until_s:
            return 0
        wished = max(0, self.steady * HORIZON_S + self.target(now_s) - free)
        return min(wished, (remaining or 0) // PREFETCH_SHARE)

    def _measure_steady(self, spent: int, now_s: float) -> None:
        if self.steady_s is None:
            self.steady_s, self.steady_spent = now_s, spent
            return
        elapsed_s = now_s - self.steady_s
        if elapsed_s < _STEADY_AFTER_S:
            return
        rate = int((spent - self.steady_spent) / elapsed_s)
        self.steady = (self.steady + rate) // 2 if self.steady else rate
        self.steady_s, self.steady_spent = now_s, spent
