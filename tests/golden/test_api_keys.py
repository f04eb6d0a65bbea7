"""API keys and their entries, as written by `pointsman keys` and read by gateways alike.

`sidecar/engine/core/tests/api_keys.rs` reads the same cases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.cli.keys.changing import faults
from pointsman_operator.cli.keys.entry import Entry
from pointsman_operator.cli.keys.form import hash_of, is_well_formed

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "api_keys" / "cases.json").read_text()
)


@pytest.mark.parametrize("case", CASES["keys"], ids=lambda case: case["key"] or "nothing")
def test_a_key_is_told_from_a_mistyped_one(case: dict[str, Any]) -> None:
    """By shape and checksum, before anybody looks it up."""
    assert is_well_formed(case["key"]) is case["wellFormed"]
    if case["wellFormed"]:
        assert hash_of(case["key"]) == case["hash"]
        assert case["key"].split("_")[1] == case["id"]


@pytest.mark.parametrize("case", CASES["entries"], ids=lambda case: case["what"])
def test_an_entry_is_read_or_refused(case: dict[str, Any]) -> None:
    """What this version does not understand may forbid something, so it is no entry."""
    data = json.dumps(case["entry"]).encode()
    fault = faults({case["id"]: data}).get(case["id"])
    assert (fault is None) is case["accepted"]
    if fault is None:
        assert Entry.read(Entry.read(data).written()) == Entry.read(data)
    else:
        assert case["entry"].get("hash", "sha256:") not in fault
