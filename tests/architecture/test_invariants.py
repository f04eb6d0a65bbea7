"""Every invariant of the design has tests that bear its name."""

from __future__ import annotations

import re

import pytest

from support.tree import shown, tracked

NAMED = re.compile(r"\b(?:def test_|fn |def )i(\d{1,2})_\w+")


@pytest.mark.parametrize("number", range(1, 12), ids=lambda number: f"I{number}")
def test_every_invariant_is_tested_by_name(number: int) -> None:
    """Whoever doubts an invariant finds its proof by searching for its name."""
    proofs = [
        f"{shown(path)}: {found.group()}"
        for path in tracked("tests/*.py", "sidecar/engine/*.rs")
        for found in NAMED.finditer(path.read_text())
        if int(found[1]) == number
    ]
    assert proofs, f"no test is called test_i{number}_… or i{number}_…"
