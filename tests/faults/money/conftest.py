"""A world without budgets for each test; the tests put tables and start sidecars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.money_world import MoneyWorld, money_world

WITHIN_S = 180
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes a test, which a busy machine starts slowly: a limit of their own."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(WITHIN_S))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MoneyWorld]:
    """A hub and a simulator that answers at once."""
    with money_world(tmp_path) as made:
        yield made
