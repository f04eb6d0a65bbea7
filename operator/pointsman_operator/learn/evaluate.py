"""Evaluate the heads and lambda as they ship, on rows that neither has seen; never the demo's.

Five folds of the training buckets: fit on four, solve lambda on those four, choose on the fifth
with integers as the engine does. Needs the extra `learn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pointsman_operator.demo_data import scoring
from pointsman_operator.learn import fit, lambda0, recorded, shipped
from pointsman_operator.learn.lambda0 import PICO_PER_DOLLAR, CandidateModel

TARGETS: Final = (90, 95, 98)
"""Per cent of the best candidate's mean that lambda is solved for."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One target: the four lines, and which part of the best single model's mean was reached."""

    target: int
    reached_percent: float
    cost_percent: float
    zero_cost_percent: float
    lines: list[scoring.Line]


def evaluate(data: Path, targets: Sequence[int] = TARGETS) -> list[Evaluation]:
    """Evaluate the demo's candidates on the training buckets of `data`."""
    sample = fit.sample_of(recorded.read(data))
    offers = shipped.demo_offers()
    columns = [sample.upstreams.index(offer["upstream"]) for offer in offers]
    singles = {
        offer["name"]: [
            scoring.Outcome(float(sample.correct[row, column]), _paid(sample, row, column, offer))
            for row in range(len(sample.digests))
        ]
        for offer, column in zip(offers, columns, strict=True)
    }
    chosen: dict[int, list[str]] = {target: [""] * len(sample.digests) for target in targets}
    folds = fit.folds_of(sample.digests)
    for fold in range(fit.FOLDS):
        held = np.flatnonzero(folds == fold)
        for target, names in _choose(sample, folds != fold, held, offers, targets).items():
            for row, name in zip(held, names, strict=True):
                chosen[target][row] = name
    return [_evaluation(target, names, singles) for target, names in chosen.items()]


def _choose(
    sample: fit.Sample,
    training: fit.Bools,
    held: fit.Ints,
    offers: Sequence[dict[str, Any]],
    targets: Sequence[int],
) -> dict[int, list[str]]:
    """The engine's choice for the held-out rows, by target."""
    known = sample.where(training)
    heads = fit.fit_heads(known)
    document = fit.model_document(known, heads, "")
    rows = shipped.unpack(fit.row_document(known, heads))
    models = [_candidate(offer, document[offer["upstream"]]) for offer in offers]
    unseen = heads.probabilities(sample.features[held])
    columns = [sample.upstreams.index(offer["upstream"]) for offer in offers]
    choices = {}
    for target in targets:
        lam = lambda0.solve(models, target, rows)
        choices[target] = [
            _argmax(
                [round(float(unseen[at, column]) * shipped.MICRO) for column in columns],
                [
                    lambda0.expected_cost(model, sample.tasks[row], sample.prompt_tokens[row])
                    for model in models
                ],
                lam,
                [offer["name"] for offer in offers],
            )
            for at, row in enumerate(held)
        ]
    return choices


def _candidate(offer: dict[str, Any], learnt: dict[str, Any]) -> CandidateModel:
    return CandidateModel(
        artefact=offer["upstream"],
        input_price=offer["input"],
        output_price=offer["output"],
        prior=learnt["quality"]["prior"],
        prior_by_task=learnt["quality"]["byTask"],
        output_tokens=learnt["outputTokens"]["default"],
        output_tokens_by_task=learnt["outputTokens"]["byTask"],
        max_output_tokens=offer["maxOutputTokens"],
    )


def _argmax(
    probabilities: Sequence[int], costs: Sequence[int], lam: int, names: Sequence[str]
) -> str:
    penalties = [lam * cost // PICO_PER_DOLLAR for cost in costs]
    ranked = zip(probabilities, penalties, costs, names, strict=True)
    return max(ranked, key=lambda one: (one[0] - one[1], -one[2]))[3]


def _paid(sample: fit.Sample, row: int, column: int, offer: dict[str, Any]) -> float:
    tokens = int(sample.output_tokens[row, column])
    return float(sample.prompt_tokens[row] * offer["input"] + tokens * offer["output"])


def _evaluation(
    target: int, names: Sequence[str], singles: dict[str, list[scoring.Outcome]]
) -> Evaluation:
    chosen = [singles[name][row] for row, name in enumerate(names)]
    best = singles[scoring.best_single(singles)]
    reached = scoring.mean_correct(chosen)
    dearest = scoring.mean_cost(best)
    return Evaluation(
        target=target,
        reached_percent=100 * reached / scoring.mean_correct(best),
        cost_percent=100 * scoring.mean_cost(chosen) / dearest,
        zero_cost_percent=100 * scoring.zero_cost_of(singles, reached) / dearest,
        lines=scoring.closing_table(singles, chosen),
    )
