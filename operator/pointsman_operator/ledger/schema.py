"""The ledger's tables. `hub` adds its own to the same metadata; `database` creates them all."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

SCHEMA_VERSION = 3
metadata = MetaData()

Numbered = BigInteger().with_variant(Integer, "sqlite")
"""A row's number: SQLite numbers by its own integers only, elsewhere 32 bits would run out."""


class Picodollars(TypeDecorator[int]):
    """An integer kept as text: the sum of many leases may pass what a 64-bit column holds."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To the store."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        """From the store."""
        return None if value is None else int(value)


meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

pots = Table(
    "pots",
    metadata,
    Column("account", Text, primary_key=True),
    Column("window", Text, primary_key=True),
    Column("start", Text, nullable=False),
    Column("end", Text, nullable=False),
    Column("limit", Picodollars, nullable=False),
    Column("settled", Picodollars, nullable=False),
    Column("unconfirmed", Picodollars, nullable=False),
    Column("leased", Picodollars, nullable=False),
    Column("holders", Integer, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("ref", String(32), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("sidecar", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("granted", Picodollars, nullable=False),
    Column("returned", Picodollars, nullable=False),
    Column("spent", Picodollars, nullable=False),
    Column("unconfirmed", Picodollars, nullable=False),
    Column("forgiven", Picodollars, nullable=False),
    Column("state", String(16), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Index("leases_by_holder", "holder", "state"),
    Index("leases_by_expiry", "state", "expires_ms"),
    Index("leases_by_account", "account", "window"),
)

dimensions = Table(
    "dimensions",
    metadata,
    Column("ref", String(32), primary_key=True),
    *(
        Column(name, Text, nullable=False)
        for name in ("model", "provider", "workload", "team", "key", "endpoint")
    ),
    # Of the pod whose token reported it; empty outside a cluster.
    Column("namespace", Text, nullable=False, server_default=""),
)

usage_marks = Table(
    "usage_marks",
    metadata,
    Column("ref", String(32), primary_key=True),
    Column("seen_ms", BigInteger, nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("requests", "input_tokens", "output_tokens", "cost", "unconfirmed")
    ),
    Index("usage_marks_by_age", "seen_ms"),
)

spend = Table(
    "spend",
    metadata,
    Column("minute_ms", BigInteger, primary_key=True),
    Column("ref", String(32), primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("requests", "input_tokens", "output_tokens", "cost", "unconfirmed")
    ),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Numbered, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("action", String(64), nullable=False),
    Column("detail", Text, nullable=False),
)
