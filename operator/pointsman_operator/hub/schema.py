"""The hub's own tables, in the ledger's database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from pointsman_operator.ledger.schema import Numbered, metadata


def _fence() -> tuple[Column[str], Column[int], Column[str]]:
    """Who wrote a row: installation, leadership, start (docs/contracts.md 3)."""
    return (
        Column("installation", Text, nullable=False),
        Column("transitions", BigInteger, nullable=False),
        Column("boot", Text, nullable=False),
    )


route_tables = Table(
    "route_tables",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("put", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    *_fence(),
    Column("packed", LargeBinary, nullable=False),
    # JSON of a `Target`; null outside a cluster.
    Column("target", Text, nullable=True),
)

removed_tables = Table(
    "removed_tables",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("put", BigInteger, nullable=False),
    *_fence(),
    # Whom it served, as in `route_tables`.
    Column("target", Text, nullable=True),
)
"""Policies that were deleted: their sidecars are told so, also those that come back later."""

pool_endpoints = Table(
    "pool_endpoints",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("pool", Text, primary_key=True),
    *_fence(),
    # JSON of `compile.endpoints.PoolEndpoints`.
    Column("content", Text, nullable=False),
)

tunings = Table(
    "tunings",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("lambdas", Text, nullable=False),
)

fence = Table(
    "fence",
    metadata,
    Column("id", Integer, primary_key=True),
    *_fence(),
)

records = Table(
    "records",
    metadata,
    Column("seq", Numbered, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("seed", LargeBinary, nullable=False),
    Column("made_s", BigInteger, nullable=False),
)
"""What signs tickets for gateways."""

ticket_holders = Table(
    "ticket_holders",
    metadata,
    Column("pod", Text, primary_key=True),
    Column("expires_s", BigInteger, nullable=False),
)
"""Pods (by UID) that may hold a good ticket: one that left while no hub ran is found by it."""

limit_holders = Table(
    "limit_holders",
    metadata,
    Column("sidecar", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
)
"""Who may hold shares of limits: after a restart nothing is handed out before they have spoken."""
