"""The closing table: what each policy got right and paid, with paired bootstrap intervals.

Pure arithmetic on recorded outcomes, for `pointsman demo` and `pointsman learn evaluate`. The
questions are resampled; every policy answers the same resample, so that differences are paired.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

RESAMPLES: Final = 2000
SEED: Final = 20241122
OUTSIDE: Final = Fraction(25, 1000)
"""Share of resamples beyond each end of an interval: 95 % lie within."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question under one policy: P(correct) - 0 or 1 for a real answer - and picodollars."""

    correct: float
    cost: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """One policy: what it is, per cent correct, picodollars a question, and how it compares.

    `correct_difference` (points) and `cost_difference` (picodollars a question) are Pointsman's
    minus this one's; None on Pointsman's own line.
    """

    name: str
    policy: str
    percent: Interval
    cost: Interval
    correct_difference: Interval | None
    cost_difference: Interval | None

    @property
    def verdict(self) -> str:
        """What the paired interval of correctness shows about Pointsman against this policy."""
        if self.correct_difference is None:
            return ""
        if self.correct_difference.low > 0:
            return "Pointsman is right more often"
        if self.correct_difference.high < 0:
            return "Pointsman is right less often"
        return "no difference shown"

    @property
    def cost_verdict(self) -> str:
        """What the paired interval of cost shows about Pointsman against this policy."""
        if self.cost_difference is None:
            return ""
        if self.cost_difference.high < 0:
            return "Pointsman costs less"
        if self.cost_difference.low > 0:
            return "Pointsman costs more"
        return "no difference shown"


def closing_table(
    singles: Mapping[str, Sequence[Outcome]],
    chosen: Sequence[Outcome],
    resamples: int = RESAMPLES,
) -> list[Line]:
    """Always-cheapest, best single model, zero router at Pointsman's cost, and Pointsman.

    `singles` has each model's outcomes on the same questions, in the same order as `chosen`.
    Raises ValueError where the lengths differ or there is nothing to compare.
    """
    if not singles or not chosen or {len(rows) for rows in singles.values()} != {len(chosen)}:
        raise ValueError("every model needs one outcome for every question")
    cheapest = cheapest_single(singles)
    best = best_single(singles)
    mixed, recipe = zero_router(singles, mean_cost(chosen))
    policies = {
        "always cheapest": (cheapest, singles[cheapest]),
        "best single model": (best, singles[best]),
        "zero router (random mix at equal cost)": (recipe, mixed),
        "Pointsman": ("by request", chosen),
    }
    draws = _draws(len(chosen), resamples)
    lines = []
    for name, (policy, outcomes) in policies.items():
        other = None if outcomes is chosen else outcomes
        lines.append(_line(name, policy, outcomes, chosen, draws, compared=other is not None))
    return lines


def cheapest_single(singles: Mapping[str, Sequence[Outcome]]) -> str:
    """The model that costs least on these questions."""
    return min(singles, key=lambda name: (mean_cost(singles[name]), name))


def best_single(singles: Mapping[str, Sequence[Outcome]]) -> str:
    """The model that is right most often; the cheaper of equals."""
    return min(singles, key=lambda name: (-mean_correct(singles[name]), mean_cost(singles[name])))


def zero_router(singles: Mapping[str, Sequence[Outcome]], cost: float) -> tuple[list[Outcome], str]:
    """The best random mix of two models that costs `cost` a question, and its recipe.

    It chooses by the recorded results themselves, so it is the strongest mix there is. Below the
    cheapest model's cost it is that model; above the best one's it is the best one.
    """
    corners = _hull(singles)
    for lower, upper in pairwise(corners):
        low, high = mean_cost(singles[lower]), mean_cost(singles[upper])
        if low <= cost < high:
            share = (cost - low) / (high - low)
            recipe = f"{100 - round(share * 100)} % {lower}, {round(share * 100)} % {upper}"
            return _mix(singles[lower], singles[upper], share), recipe
    end = corners[0] if cost < mean_cost(singles[corners[0]]) else corners[-1]
    return list(singles[end]), f"100 % {end}"


def zero_cost_of(singles: Mapping[str, Sequence[Outcome]], correct: float) -> float:
    """What a random mix pays, picodollars a question, to be right as often as `correct`.

    Above the best single model no mix is: the best one's cost.
    """
    corners = _hull(singles)
    for lower, upper in pairwise(corners):
        low, high = mean_correct(singles[lower]), mean_correct(singles[upper])
        if low <= correct < high:
            share = (correct - low) / (high - low)
            return mean_cost(_mix(singles[lower], singles[upper], share))
    return mean_cost(singles[corners[0 if correct < mean_correct(singles[corners[0]]) else -1]])


def mean_correct(outcomes: Sequence[Outcome]) -> float:
    """Share of correct answers."""
    return sum(outcome.correct for outcome in outcomes) / len(outcomes)


def mean_cost(outcomes: Sequence[Outcome]) -> float:
    """Picodollars a question."""
    return sum(outcome.cost for outcome in outcomes) / len(outcomes)


def _line(
    name: str,
    policy: str,
    outcomes: Sequence[Outcome],
    chosen: Sequence[Outcome],
    draws: Sequence[Sequence[int]],
    *,
    compared: bool,
) -> Line:
    percent = [outcome.correct * 100 for outcome in outcomes]
    cost = [outcome.cost for outcome in outcomes]
    gained = [ours.correct * 100 - theirs for ours, theirs in zip(chosen, percent, strict=True)]
    spent = [ours.cost - theirs for ours, theirs in zip(chosen, cost, strict=True)]
    return Line(
        name=name,
        policy=policy,
        percent=_interval(percent, draws),
        cost=_interval(cost, draws),
        correct_difference=_interval(gained, draws) if compared else None,
        cost_difference=_interval(spent, draws) if compared else None,
    )


def _draws(count: int, resamples: int) -> list[list[int]]:
    generator = random.Random(SEED)  # noqa: S311 - a fixed seed, so that the table can be repeated
    return [generator.choices(range(count), k=count) for _ in range(resamples)]


def _interval(values: Sequence[float], draws: Sequence[Sequence[int]]) -> Interval:
    means = sorted(sum(map(values.__getitem__, draw)) / len(values) for draw in draws)
    outside = int(len(means) * OUTSIDE)
    return Interval(sum(values) / len(values), means[outside], means[-1 - outside])


def _hull(singles: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Models on the rising upper convex hull of (cost, correct), cheapest first."""
    at = {name: (mean_cost(rows), mean_correct(rows)) for name, rows in singles.items()}
    hull: list[str] = []
    for name in sorted(at, key=lambda name: (at[name][0], -at[name][1])):
        if hull and at[name][1] <= at[hull[-1]][1]:
            continue
        while len(hull) > 1 and _under(at[hull[-2]], at[hull[-1]], at[name]):
            hull.pop()
        hull.append(name)
    return hull


def _under(
    left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]
) -> bool:
    rise = (middle[1] - left[1]) * (right[0] - left[0])
    return rise <= (right[1] - left[1]) * (middle[0] - left[0])


def _mix(lower: Sequence[Outcome], upper: Sequence[Outcome], share: float) -> list[Outcome]:
    return [
        Outcome(
            correct=low.correct * (1 - share) + high.correct * share,
            cost=low.cost * (1 - share) + high.cost * share,
        )
        for low, high in zip(lower, upper, strict=True)
    ]
