"""Settings that every kind of test shares."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from support.postgresql_server import PostgresqlServer, postgresql_server
from support.postgresql_tls import TlsServer, postgresql_tls

# Timing never decides a property: the machine is shared with whatever else runs.
settings.register_profile("fast", max_examples=50, deadline=None, derandomize=True)
settings.register_profile(
    "slow", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` rewrites golden cases from what the code says now; the diff is then reviewed."""
    parser.addoption("--update", action="store_true", help="rewrite golden cases")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """One server for all tests that ask for it; who stops it starts it again."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsServer]:
    """A PostgreSQL in TLS for one file's tests; who changes how it serves puts that back."""
    with postgresql_tls() as made:
        yield made


@pytest.fixture
def tls_schema(tls: TlsServer) -> Iterator[str]:
    """An empty schema there."""
    with tls.server.schema() as name:
        yield name
