"""The calls that simulated holders make: what each reserves and costs, and when it was made.

Costs come from one seeded list of calls; each holder begins somewhere in it. A call is an instant:
it reserves its most and costs its part of that at once. `Successes` counts by tenths of a second,
so that what was left of a limit is known for every moment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 10
"""Calls a second and holder."""
CALLS = 65_536
"""Calls in the list; a holder makes at most `RUN_MAX` of them."""
RUN_MAX = 8_192
RESERVED = (200_000_000, 400_000_000, 1_000_000_000, 2_000_000_000)
"""Reservations in picodollars, from 0.0002 to 0.002 dollars."""
DEAREST = max(RESERVED)
_BINS_A_SECOND = 10
_SECONDS = 3_600


class Calls:
    """The list, the same in every process."""

    def __init__(self) -> None:
        random = np.random.default_rng(4)
        reserved = random.choice(np.array(RESERVED, dtype=np.int64), CALLS)
        # Odd parts of picodollars: sums that floats would round.
        costs = reserved * random.integers(200_001, 1_000_000, CALLS) // 1_000_000
        self.reserved: list[int] = reserved.tolist()
        self.costs: NDArray[np.int64] = costs
        self.until: NDArray[np.int64] = np.concatenate(([0], np.cumsum(costs)))
        """What the calls before each one cost together."""

    @property
    def mean_cost(self) -> int:
        """Of one call, picodollars."""
        return int(self.until[-1]) // CALLS

    def sure(self, at: int, free: int) -> int:
        """How many calls from `at` on fit into `free`, whatever they reserve; at most the run."""
        if free < DEAREST:
            return 0
        base = int(self.until[at])
        found = np.searchsorted(self.until, base + free - DEAREST, side="right")
        return max(0, int(found) - 1 - at)


class Successes:
    """Calls that succeeded, and their cost, by tenths of a second since the start."""

    def __init__(self) -> None:
        self.counts = np.zeros(_SECONDS * _BINS_A_SECOND, dtype=np.int64)
        self.costs = np.zeros(_SECONDS * _BINS_A_SECOND, dtype=np.int64)

    def add(self, began_s: float, first: int, costs: NDArray[np.int64]) -> None:
        """Calls `first`, `first + 1`, … of a holder that began then."""
        whens = began_s + np.arange(first, first + len(costs)) / RATE
        bins = (whens * _BINS_A_SECOND).astype(np.int64)
        np.add.at(self.counts, bins, 1)
        np.add.at(self.costs, bins, costs)

    def add_one(self, when_s: float, cost: int) -> None:
        """One call."""
        place = int(when_s * _BINS_A_SECOND)
        self.counts[place] += 1
        self.costs[place] += cost
