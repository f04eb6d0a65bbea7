"""Which table a sidecar takes from its namespace's ConfigMap; the hub reads the same cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman_sidecar.files import chosen

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["says"])
def test_i3_the_sidecar_takes_the_table_that_the_hub_would_send(case: dict[str, Any]) -> None:
    """In whatever order the files come."""
    documents = [{"target": target, "digest": name} for name, target in case["targets"].items()]
    for order in (documents, documents[::-1]):
        found = chosen(order, case["labels"])
        assert (None if found is None else found["digest"]) == case["serves"]
