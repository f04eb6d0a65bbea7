"""Solve lambda, the micro-probability that a dollar must buy, for a route's quality target.

Each shipped row chooses `argmax P - lambda * cost` among the candidates. As lambda grows, a row
walks down the upper convex hull of its candidates in the (cost, P) plane; all the steps of all the
rows, sorted by the lambda at which they happen, are the exact curve of mean quality over lambda.
The answer is the largest lambda at which the mean still meets the target. Integers throughout, so
that the same snapshot gives the same table on every machine (I1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Final

from pointsman_operator.learn import shipped
from pointsman_operator.learn.shipped import MICRO, Rows

PICO_PER_DOLLAR: Final = 10**12
"""Picodollars in a dollar."""

UNKNOWN_OUTPUT_TOKENS: Final = 300
"""Where nothing is known of a model's answers; the engine's `EXPECTED_OUTPUT_TOKENS`."""

MARGIN_PERCENT: Final = 50
"""Part of a standard error that the mean must lie above the target. Without it, held-out folds fall
short by up to half a point at 95 %; with a whole one they cost a sixth more than they need."""


@dataclass(frozen=True, slots=True)
class CandidateModel:
    """One candidate. Prices in picodollars per token, qualities in percent.

    `artefact` is the upstream id whose head the table carries; None: the priors stand in.
    """

    artefact: str | None
    input_price: int
    output_price: int
    prior: int = 0
    prior_by_task: Mapping[str, int] = field(default_factory=dict)
    output_tokens: int = 0
    output_tokens_by_task: Mapping[str, int] = field(default_factory=dict)
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """One row's step down its hull.

    At a lambda above `at` the row gives up `loss` of its P, and the variance of its gain over the
    best single model changes by `variance` (micro^2).
    """

    at: int
    loss: int
    variance: int


def solve(models: Sequence[CandidateModel], target_percent: int, rows: Rows | None = None) -> int:
    """Lambda in micro-probability per dollar; 0 where only the best P meets the target.

    The mean P of the chosen models is to be at least `target_percent` of the best candidate's mean
    over `rows` (default: the shipped ones), with a margin of half a standard error.
    """
    rows = shipped.rows() if rows is None else rows
    points = [_points(model, rows) for model in models]
    if not points or not rows.tasks:
        return 0
    best = max(range(len(points)), key=lambda index: (sum(p for p, _ in points[index]), -index))
    need = target_percent * sum(p for p, _ in points[best])
    steps: list[_Step] = []
    mean = variance = 0
    for row, choices in enumerate(zip(*points, strict=True)):
        reference = points[best][row]
        hull = _hull(choices)
        mean += hull[0][0]
        variance += _variance(hull[0], reference)
        for upper, lower in pairwise(hull):
            at = (upper[0] - lower[0]) * PICO_PER_DOLLAR // (upper[1] - lower[1])
            change = _variance(lower, reference) - _variance(upper, reference)
            steps.append(_Step(at, upper[0] - lower[0], change))
    steps.sort(key=_at)
    for at, together in groupby(steps, key=_at):
        for step in together:
            mean -= step.loss
            variance += step.variance
        if 100 * mean - MARGIN_PERCENT * math.isqrt(variance) < need:
            return at
    return steps[-1].at + 1 if steps else 0


def expected_cost(model: CandidateModel, task: str, prompt_tokens: int) -> int:
    """Picodollars of one call, as the engine expects them (`select.rs`)."""
    usual = model.output_tokens_by_task.get(task, model.output_tokens or UNKNOWN_OUTPUT_TOKENS)
    if model.max_output_tokens is not None:
        usual = min(usual, model.max_output_tokens)
    return prompt_tokens * model.input_price + usual * model.output_price


def _at(step: _Step) -> int:
    return step.at


def _points(model: CandidateModel, rows: Rows) -> list[tuple[int, int]]:
    """(micro-P, picodollars) a row."""
    known = rows.probabilities.get(model.artefact) if model.artefact is not None else None
    if known is None:
        percents = (model.prior_by_task.get(task, model.prior) for task in rows.tasks)
        known = tuple(percent * MICRO // 100 for percent in percents)
    costs = (
        expected_cost(model, task, tokens)
        for task, tokens in zip(rows.tasks, rows.prompt_tokens, strict=True)
    )
    return list(zip(known, costs, strict=True))


def _hull(choices: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The choices that some lambda >= 0 picks, from the best P down to the least cost."""
    hull: list[tuple[int, int]] = []
    for point in sorted(set(choices), key=lambda choice: (-choice[0], choice[1])):
        if hull and point[1] >= hull[-1][1]:
            continue
        while len(hull) > 1 and _not_above(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _not_above(upper: tuple[int, int], middle: tuple[int, int], lower: tuple[int, int]) -> bool:
    """The middle lies on or under the line: no lambda picks it alone."""
    first = (upper[0] - middle[0]) * (middle[1] - lower[1])
    return first >= (middle[0] - lower[0]) * (upper[1] - middle[1])


def _variance(choice: tuple[int, int], reference: tuple[int, int]) -> int:
    """Of the difference of two independent answers with these probabilities; 0 for the same one."""
    if choice == reference:
        return 0
    return sum(p * (MICRO - p) for p, _ in (choice, reference))
