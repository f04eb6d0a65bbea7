"""The ledger that each test starts with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.ledger_world import LedgerWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LedgerWorld]:
    """One account of 1000 picodollars a day, nothing spent."""
    made = LedgerWorld(tmp_path / "ledger.db")
    yield made
    made.close()
