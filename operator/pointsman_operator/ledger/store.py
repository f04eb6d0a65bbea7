"""Rows to books and back: the only place that knows how leases and pots are kept.

`ledger` calls `load_books` before a batch and `write_changes` after it, in one transaction. The
number of statements does not depend on the size of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, Table, bindparam, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.arithmetic import LeaseNumbers, LeaseState, Pot
from pointsman_operator.ledger.books import Books, Changes, Holder, Lease, WindowPot, reference
from pointsman_operator.ledger.demand import PotKey
from pointsman_operator.ledger.messages import SyncRequest
from pointsman_operator.ledger.schema import leases, pots

T = TypeVar("T")


async def load_books(
    connection: AsyncConnection, requests: Sequence[SyncRequest], keys: Iterable[PotKey]
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
        query = select(leases).where(leases.c.holder.in_(some), leases.c.state == LeaseState.OPEN)
        found.update(await _leases(connection, query))
    for some in chunks(named - found.keys()):
        found.update(await _leases(connection, select(leases).where(leases.c.ref.in_(some))))
    return await with_pots(connection, found.values(), keys)


async def with_pots(
    connection: AsyncConnection, loaded: Iterable[Lease], keys: Iterable[PotKey] = ()
) -> Books:
    """Books of these leases, with their pots and those of `keys`."""
    loaded = list(loaded)
    wanted = {lease.pot for lease in loaded} | set(keys)
    found: list[WindowPot] = []
    for some in chunks(wanted):
        query = select(pots).where(tuple_(pots.c.account, pots.c.window).in_(some))
        found += [read_pot(row) for row in (await connection.execute(query)).mappings()]
    return Books(loaded, found)


async def select_leases(connection: AsyncConnection, query: Select[tuple[Any, ...]]) -> list[Lease]:
    """The leases of a query on `schema.leases`."""
    return list((await _leases(connection, query)).values())


async def write_changes(connection: AsyncConnection, changes: Changes) -> None:
    """Insert and update what the books say has changed."""
    await _insert(connection, leases, [_lease_row(lease) for lease in changes.new_leases])
    await _insert(connection, pots, [_pot_row(pot) for pot in changes.new_pots])
    await update_rows(connection, leases, ["ref"], [_lease_row(lease) for lease in changes.leases])
    await update_rows(connection, pots, ["account", "window"], [_pot_row(p) for p in changes.pots])


async def update_rows(
    connection: AsyncConnection, table: Table, key: Sequence[str], rows: list[dict[str, Any]]
) -> None:
    """Update existing rows, all of the same columns, found by their key columns."""
    if not rows:
        return
    statement = update(table).values(
        {name: bindparam(f"new_{name}") for name in rows[0] if name not in key}
    )
    for name in key:
        statement = statement.where(table.c[name] == bindparam(f"new_{name}"))
    await connection.execute(
        statement, [{f"new_{name}": value for name, value in row.items()} for row in rows]
    )


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists that fit a query."""
    iterator = iter(items)
    while some := list(islice(iterator, limits.KEYS_PER_QUERY)):
        yield some


def read_pot(row: RowMapping) -> WindowPot:
    """A row of `schema.pots`."""
    pot = Pot(row["limit"], row["settled"], row["unconfirmed"], row["leased"], row["holders"])
    return WindowPot((row["account"], row["window"]), pot, row["start"], row["end"])


async def _insert(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(table), rows)


async def _leases(connection: AsyncConnection, query: Select[tuple[Any, ...]]) -> dict[str, Lease]:
    rows = (await connection.execute(query)).mappings()
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
