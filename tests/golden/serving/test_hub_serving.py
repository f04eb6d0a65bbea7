"""Which table the hub sends to a pod; the sidecar reads the same cases for its ConfigMap."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.hub.targets import Target, first_serving

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("cases.json").read_text())


@dataclass(frozen=True)
class Table:
    """A table, as far as the rule looks at it."""

    name: str
    target: Target | None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["says"])
def test_i3_the_hub_sends_the_table_that_the_sidecar_would_take(case: dict[str, Any]) -> None:
    """In whatever order the tables were put."""
    tables = [
        Table(name, Target.model_validate_json(json.dumps(target)))
        for name, target in case["targets"].items()
    ]
    for order in (tables, tables[::-1]):
        found = first_serving(order, case["labels"])
        assert (None if found is None else found.name) == case["serves"]
