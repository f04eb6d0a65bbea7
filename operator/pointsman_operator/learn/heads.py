"""Apply a head as the engine does (docs/contracts.md 5); for evaluation and for tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pointsman_operator.learn.shipped import MICRO


def probability(head: Mapping[str, Any], features: Sequence[float]) -> float:
    """P(good answer) = sigmoid of bias and weighted features; weights in micro.

    Raises ValueError where the head has another number of weights.
    """
    weighted = zip(head["weights"], features, strict=True)
    return sigmoid((head["bias"] + math.fsum(w * x for w, x in weighted)) / MICRO)


def sigmoid(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))
