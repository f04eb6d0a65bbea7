"""Lambda meets the target it is solved for, exactly and at the least quality spent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.learn import lambda0, shipped
from pointsman_operator.learn.lambda0 import PICO_PER_DOLLAR, CandidateModel
from pointsman_operator.learn.shipped import MICRO, Rows

OFFERS = shipped.demo_offers()


def demo_models() -> list[CandidateModel]:
    """The demo's candidates at their list prices."""
    models = []
    for offer in OFFERS:
        learnt = shipped.artefact(offer["upstream"])
        assert learnt is not None
        models.append(
            CandidateModel(
                artefact=learnt.model,
                input_price=round(float(offer["inputPerMTok"]) * MICRO),
                output_price=round(float(offer["outputPerMTok"]) * MICRO),
                prior=learnt.quality["prior"],
                prior_by_task=learnt.quality["byTask"],
                output_tokens=learnt.output_tokens["default"],
                output_tokens_by_task=learnt.output_tokens["byTask"],
            )
        )
    return models


def choose(models: list[CandidateModel], rows: Rows, lam: int) -> tuple[int, float, int]:
    """(sum of chosen P, standard error of the sum's gain, cost): brute force, as the engine."""
    points = [lambda0._points(model, rows) for model in models]
    best = max(points, key=lambda point: sum(p for p, _ in point))
    mean = variance = cost = 0
    for row, choices in enumerate(zip(*points, strict=True)):
        # Without rounding the penalty: an exact oracle of the rule itself.
        pick = max(choices, key=lambda c: (c[0] * PICO_PER_DOLLAR - lam * c[1], -c[1]))
        mean, cost = mean + pick[0], cost + pick[1]
        if pick != best[row]:
            variance += sum(p * (MICRO - p) for p, _ in (pick, best[row]))
    return mean, math.sqrt(variance), cost


@pytest.mark.parametrize("target", [50, 90, 95, 98])
def test_the_target_is_met_and_no_larger_lambda_meets_it(target: int) -> None:
    """On the shipped rows: at lambda the mean with its margin holds; one step further it fails."""
    models, rows = demo_models(), shipped.rows()
    lam = lambda0.solve(models, target)
    best = max(sum(p for p, _ in lambda0._points(model, rows)) for model in models)
    mean, error, _ = choose(models, rows, lam)
    assert mean - error / 2 >= best * target / 100 - 1
    if target > 50:
        mean, error, _ = choose(models, rows, lam + 1)
        assert mean - error / 2 < best * target / 100 + 1


def test_a_higher_target_costs_more() -> None:
    """Lambda falls and the expected cost rises with the target."""
    models, rows = demo_models(), shipped.rows()
    lambdas = [lambda0.solve(models, target) for target in (80, 90, 95, 98, 100)]
    costs = [choose(models, rows, lam)[2] for lam in lambdas]
    assert lambdas == sorted(lambdas, reverse=True)
    assert costs == sorted(costs)
    assert costs[0] < costs[-1] / 5


def test_order_of_candidates_does_not_matter() -> None:
    """I1: the same models in another order give the same lambda."""
    models = demo_models()
    assert lambda0.solve(models, 95) == lambda0.solve(models[::-1], 95)


def test_models_without_a_head_stand_by_their_priors() -> None:
    """A self-hosted model takes part with its prior; a better and free one takes every row."""
    better = CandidateModel(artefact=None, input_price=0, output_price=0, prior=99)
    strong = demo_models()[0]
    lam = lambda0.solve([strong, better], 95)
    assert choose([strong, better], shipped.rows(), lam)[2] == 0
    worse = CandidateModel(artefact=None, input_price=1, output_price=1, prior=10)
    # One of the two must do nearly everything, so a dollar may buy almost nothing.
    assert lambda0.solve([strong, worse], 99) < lambda0.solve([strong, worse], 50)


def test_nothing_to_choose_needs_no_price_of_quality() -> None:
    """No candidate, or no row: 0, the best candidate always."""
    assert lambda0.solve([], 95) == 0
    assert lambda0.solve(demo_models(), 95, Rows((), (), {})) == 0
    assert lambda0.solve(demo_models()[:1], 95) == 0


@given(
    st.lists(st.lists(st.integers(0, MICRO), min_size=6, max_size=6), min_size=1, max_size=5),
    st.lists(st.integers(1, 10**7), min_size=5, max_size=5),
    st.integers(0, 100),
)
def test_solve_agrees_with_brute_force(
    chances: list[list[int]], prices: list[int], target: int
) -> None:
    """On random rows: at lambda the target holds, unless even the best P of each row misses it."""
    rows = Rows(
        tasks=("math", "code", "chat", "math", "other", "code"),
        prompt_tokens=(10, 20, 30, 1000, 50, 60),
        probabilities={str(index): tuple(values) for index, values in enumerate(chances)},
    )
    models = [
        CandidateModel(str(index), price, 2 * price, output_tokens=100)
        for index, price in zip(range(len(chances)), prices, strict=False)
    ]
    lam = lambda0.solve(models, target, rows)
    need = max(sum(values) for values in chances) * target / 100
    first_mean, _, _ = choose(models, rows, 0)
    mean, error, _ = choose(models, rows, lam)
    assert lam >= 0
    assert mean <= first_mean
    assert mean == first_mean or mean - error / 2 >= need - 1
