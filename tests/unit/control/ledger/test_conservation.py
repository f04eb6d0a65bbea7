"""Invariant I8 under any sequence of what may happen, on both stores and over lost backups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest
from hypothesis import settings

from pointsman_operator.ledger.database import Store
from support.ledger_machine import LedgerMachine
from support.ledger_restored import RestoredLedgerMachine
from support.ledger_world import postgresql_at
from support.postgresql_server import PostgresqlServer


class PostgresqlLedgerMachine(LedgerMachine):
    """The same on the other store."""

    server: ClassVar[PostgresqlServer]

    @contextmanager
    def new_store(self) -> Iterator[Callable[[], Store]]:
        """A schema, for one example."""
        with self.server.schema() as schema:
            yield postgresql_at(self.server.url(schema))


@pytest.fixture(scope="module")
def machines_server(postgresql: PostgresqlServer) -> None:
    """Hypothesis makes the machine: it takes no fixtures."""
    PostgresqlLedgerMachine.server = postgresql


TestLedgerMachine = LedgerMachine.TestCase
# Each step is a durable transaction: a fifth of the profile's examples.
TestLedgerMachine.settings = settings(
    max_examples=settings().max_examples // 5, stateful_step_count=25, deadline=None
)
TestLedgerMachine.pytestmark = [pytest.mark.timeout(300)]  # type: ignore[attr-defined]

TestPostgresqlLedgerMachine = PostgresqlLedgerMachine.TestCase
TestPostgresqlLedgerMachine.settings = TestLedgerMachine.settings
TestPostgresqlLedgerMachine.pytestmark = [  # type: ignore[attr-defined]
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("machines_server"),
]

TestRestoredLedgerMachine = RestoredLedgerMachine.TestCase
TestRestoredLedgerMachine.settings = TestLedgerMachine.settings
TestRestoredLedgerMachine.pytestmark = TestLedgerMachine.pytestmark  # type: ignore[attr-defined]
