"""The ledger that each test starts with, on each store that a hub may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pointsman_operator.ledger.database import Store
from support.ledger_world import LedgerWorld, postgresql_at, sqlite_at
from support.postgresql_server import PostgresqlServer


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """An empty store, opened by calling it, as often as one likes."""
    if request.param == "sqlite":
        yield sqlite_at(tmp_path / "ledger.db")
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    with server.schema() as schema:
        yield postgresql_at(server.url(schema))


@pytest.fixture
def world(store: Callable[[], Store]) -> Iterator[LedgerWorld]:
    """One account of 1000 picodollars a day, nothing spent."""
    made = LedgerWorld(store)
    yield made
    made.close()
