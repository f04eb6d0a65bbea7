"""Rows to books and back: the only place that knows how leases and pots are kept.

`ledger` calls `load_books` before a batch and `write_changes` after it, in one transaction. The
number of statements does not depend on the size of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Insert,
    RowMapping,
    Select,
    Table,
    Update,
    bindparam,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.arithmetic import LeaseNumbers, LeaseState, Pot
from pointsman_operator.ledger.books import Books, Changes, Holder, Lease, WindowPot, reference
from pointsman_operator.ledger.demand import PotKey
from pointsman_operator.ledger.messages import SyncRequest
from pointsman_operator.ledger.schema import leases, pots

# Built once: building a statement costs more than running it.
_OPEN_LEASES = select(leases).where(
    leases.c.holder.in_(bindparam("holders", expanding=True)), leases.c.state == LeaseState.OPEN
)
_NAMED_LEASES = select(leases).where(leases.c.ref.in_(bindparam("refs", expanding=True)))
_NAMED_POTS = select(pots).where(
    tuple_(pots.c.account, pots.c.window).in_(bindparam("keys", expanding=True))
)

T = TypeVar("T")


def load_books(
    connection: Connection, requests: Sequence[SyncRequest], keys: Iterable[PotKey]
) -> Books:
    """Every lease and pot that the requests may touch; `keys` are the pots that they name."""
    holders = {reference(request.sidecar, request.boot) for request in requests}
    named = {
        reference(request.sidecar, request.boot, report.id)
        for request in requests
        for report in request.leases
    }
    found: dict[str, Lease] = {}
    for some in chunks(holders):
        found.update(_leases(connection, _OPEN_LEASES, {"holders": some}))
    for some in chunks(named - found.keys()):
        found.update(_leases(connection, _NAMED_LEASES, {"refs": some}))
    return with_pots(connection, found.values(), keys)


def with_pots(
    connection: Connection, loaded: Iterable[Lease], keys: Iterable[PotKey] = ()
) -> Books:
    """Books of these leases, with their pots and those of `keys`."""
    loaded = list(loaded)
    wanted = {lease.pot for lease in loaded} | set(keys)
    found: list[WindowPot] = []
    for some in chunks(wanted):
        rows = connection.execute(_NAMED_POTS, {"keys": some}).mappings()
        found += [read_pot(row) for row in rows]
    return Books(loaded, found)


def select_leases(connection: Connection, query: Select[tuple[Any, ...]]) -> list[Lease]:
    """The leases of a query on `schema.leases`."""
    return list(_leases(connection, query).values())


def write_changes(connection: Connection, changes: Changes) -> None:
    """Insert and update what the books say has changed."""
    _insert(connection, leases, [_lease_row(lease) for lease in changes.new_leases])
    _insert(connection, pots, [_pot_row(pot) for pot in changes.new_pots])
    update_rows(connection, leases, ["ref"], [_lease_row(lease) for lease in changes.leases])
    update_rows(connection, pots, ["account", "window"], [_pot_row(p) for p in changes.pots])


def update_rows(
    connection: Connection, table: Table, key: Sequence[str], rows: list[dict[str, Any]]
) -> None:
    """Update existing rows, all of the same columns, found by their key columns."""
    if not rows:
        return
    statement = _update(table, tuple(key), tuple(rows[0]))
    connection.execute(
        statement, [{f"new_{name}": value for name, value in row.items()} for row in rows]
    )


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows whose key is not there yet."""
    if rows:
        connection.execute(_insert_new(connection.dialect.name, table), rows)


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists that fit a query."""
    iterator = iter(items)
    while some := list(islice(iterator, limits.KEYS_PER_QUERY)):
        yield some


def read_pot(row: RowMapping) -> WindowPot:
    """A row of `schema.pots`."""
    pot = Pot(row["limit"], row["settled"], row["unconfirmed"], row["leased"], row["holders"])
    return WindowPot((row["account"], row["window"]), pot, row["start"], row["end"])


@lru_cache
def _insert_new(dialect: str, table: Table) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


@lru_cache
def _update(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {n: bindparam(f"new_{n}") for n in names if n not in key}
    found = (table.c[name] == bindparam(f"new_{name}") for name in key)
    return update(table).values(values).where(*found)


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _leases(
    connection: Connection, query: Select[tuple[Any, ...]], values: dict[str, Any] | None = None
) -> dict[str, Lease]:
    rows = connection.execute(query, values).mappings()
    return {row["ref"]: _read_lease(row) for row in rows}


def _read_lease(row: RowMapping) -> Lease:
    return Lease(
        holder=Holder(row["sidecar"], row["boot"]),
        id=row["id"],
        pot=(row["account"], row["window"]),
        incarnation=row["incarnation"],
        numbers=LeaseNumbers(
            granted=row["granted"],
            returned=row["returned"],
            spent=row["spent"],
            unconfirmed=row["unconfirmed"],
            forgiven=row["forgiven"],
            state=LeaseState(row["state"]),
        ),
        expires_ms=row["expires_ms"],
        seen_ms=row["seen_ms"],
    )


def _lease_row(lease: Lease) -> dict[str, Any]:
    holder, numbers = lease.holder, lease.numbers
    return {
        "ref": lease.ref,
        "holder": reference(holder.sidecar, holder.boot),
        "sidecar": holder.sidecar,
        "boot": holder.boot,
        "id": lease.id,
        "account": lease.pot[0],
        "window": lease.pot[1],
        "incarnation": lease.incarnation,
        "expires_ms": lease.expires_ms,
        "seen_ms": lease.seen_ms,
        # Member by member: `asdict` copies deeply, and this runs for each lease of each sync.
        "granted": numbers.granted,
        "returned": numbers.returned,
        "spent": numbers.spent,
        "unconfirmed": numbers.unconfirmed,
        "forgiven": numbers.forgiven,
        "state": numbers.state,
    }


def _pot_row(pot: WindowPot) -> dict[str, Any]:
    account, window = pot.key
    return {
        "account": account,
        "window": window,
        "start": pot.start,
        "end": pot.end,
        "limit": pot.pot.limit,
        "settled": pot.pot.settled,
        "unconfirmed": pot.pot.unconfirmed,
        "leased": pot.pot.leased,
        "holders": pot.pot.holders,
    }
