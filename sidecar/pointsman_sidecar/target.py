"""Which of several tables serves this pod: the first in order whose labels the pod bears.

The rule is the hub's, too (docs/contracts-kubernetes.md, section 3; tests/golden/serving). Used by
`files` on the namespace's ConfigMap; the pod's labels come from the downward API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Order = tuple[int, str, str]
"""Negated priority, creation time, name: the smallest wins."""


@dataclass(frozen=True)
class Target:
    """Whom a table is for."""

    labels: Mapping[str, str]
    order: Order

    def serves(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is meant."""
        return self.labels.items() <= labels.items()


def target_of(document: Any) -> Target | None:
    """The `target` of an envelope; None: it says nothing, and serves whoever reads it."""
    if not isinstance(document, dict) or document.get("target") is None:
        return None
    target = document["target"]
    try:
        priority, created, name = target["order"]
        labels = {str(key): str(value) for key, value in target.get("labels", {}).items()}
        return Target(labels, (int(priority), str(created), str(name)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a target: {error!r}") from error


def read_labels(path: Path | None) -> dict[str, str]:
    """The pod's labels as of now: lines `key="value"`; none where there is no such file."""
    if path is None:
        return {}
    labels = {}
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals:
            labels[key] = str(json.loads(value))
    return labels
