"""Lambda at compile time.

The price of quality at which a route's expected mean quality meets its target.
"""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_operator.compile.table import TableModel
from pointsman_operator.learn import lambda0, shipped


def solve_lambda0(models: Sequence[TableModel], target_percent: int) -> int:
    """Micro-probability a dollar, solved on the rows that the package ships (`learn.lambda0`)."""
    return lambda0.solve([_candidate(model) for model in models], target_percent)


def _candidate(model: TableModel) -> lambda0.CandidateModel:
    """A head stands for its model's shipped probabilities; without one the prior does."""
    quality = model.quality
    return lambda0.CandidateModel(
        artefact=shipped.model_of_head(model.head.digest) if model.head is not None else None,
        input_price=model.pricing.input,
        output_price=model.pricing.output,
        prior=quality.prior if quality is not None else 0,
        prior_by_task=quality.by_task if quality is not None else {},
        output_tokens=model.output_tokens.default,
        output_tokens_by_task=model.output_tokens.by_task,
        max_output_tokens=model.max_output_tokens,
    )
