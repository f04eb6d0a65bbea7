"""Bootstrap intervals over rounds and samples, without drawing the samples.

The rank of a quantile in a resample of n sorted samples follows a Beta distribution, so one draw
of it stands for resampling all n. Rounds are resampled, too: within a round latencies resemble
each other.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias

DRAWS = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """The same in another unit."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


Rounds: TypeAlias = "Sequence[array[int]]"
"""Sorted samples of each round."""


def quantile(ordered: Sequence[int], q: float) -> int:
    """The sample at the nearest rank."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def quantile_mean(rounds: Rounds, q: float) -> Estimate:
    """A quantile, averaged over rounds."""
    value = fmean(quantile(ordered, q) for ordered in rounds)
    return _interval(value, rounds, lambda dice, at: _drawn(rounds[at], q, dice))


def quantile_difference(rounds: Rounds, baseline: Rounds, q: float) -> Estimate:
    """How much higher a quantile lies than the baseline's of the same round, on average."""
    pairs = list(zip(rounds, baseline, strict=True))
    value = fmean(quantile(one, q) - quantile(other, q) for one, other in pairs)

    def draw(dice: random.Random, at: int) -> float:
        one, other = pairs[at]
        return _drawn(one, q, dice) - _drawn(other, q, dice)

    return _interval(value, pairs, draw)


def mean(values: Sequence[float]) -> Estimate:
    """The mean over rounds."""
    return _interval(fmean(values), values, lambda _dice, at: values[at])


def ratio(values: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """The mean over rounds of the ratio within a round."""
    return mean([one / other for one, other in zip(values, baseline, strict=True)])


def _drawn(ordered: Sequence[int], q: float, dice: random.Random) -> int:
    """The quantile of one resample."""
    count = len(ordered)
    rank = min(max(int(count * q) + 1, 1), count)
    return ordered[min(count - 1, int(count * dice.betavariate(rank, count - rank + 1)))]


def _interval(
    value: float, rounds: Sequence[object], draw: Callable[[random.Random, int], float]
) -> Estimate:
    dice = random.Random(1)
    count = len(rounds)
    means = sorted(
        sum(draw(dice, dice.randrange(count)) for _ in range(count)) / count for _ in range(DRAWS)
    )
    tail = int(DRAWS * (1 - CONFIDENCE) / 2)
    return Estimate(value, means[tail], means[DRAWS - 1 - tail])
