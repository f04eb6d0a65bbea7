"""Where the money went: usage counters of all sidecars, by who, what and where.

Sidecars send counters that are cumulative since their boot; the ledger books what is new at its own
time. `ledger` calls `book_usage` inside the transaction of a sync, so a replayed sync books nothing
twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import add, sub
from types import MappingProxyType
from typing import Any, NamedTuple, SupportsInt

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.books import reference
from pointsman_operator.ledger.messages import SyncRequest
from pointsman_operator.ledger.schema import dimensions, spend, usage_marks
from pointsman_operator.ledger.store import chunks, insert_new, update_rows

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
PICO_PER_MICRO = 10**6
COLUMN_MAX = 2**63 - 1


# Built once: building a statement costs more than running it.
_MARKS = select(usage_marks).where(usage_marks.c.ref.in_(bindparam("refs", expanding=True)))
_SPEND = select(spend).where(
    spend.c.ref.in_(bindparam("refs", expanding=True)), spend.c.minute_ms == bindparam("minute")
)
_DROP = delete(spend).where(
    spend.c.minute_ms == bindparam("minute"), spend.c.ref == bindparam("name")
)


class SpendBy(StrEnum):
    """What spend may be grouped by."""

    MODEL = "model"
    PROVIDER = "provider"
    WORKLOAD = "workload"
    TEAM = "team"
    KEY = "key"
    ENDPOINT = "endpoint"
    NAMESPACE = "namespace"


class Counters(NamedTuple):
    """Requests, tokens, and picodollars. A tuple: thousands are made a second.

    `unconfirmed` is beside `cost`: given-up attempts that a provider may bill, and calls that a
    crash left open (those under empty names).
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    unconfirmed: int = 0

    def plus(self, other: Counters) -> Counters:
        """The sum, counter by counter."""
        return Counters(*map(add, self, other))

    def peak(self, other: Counters) -> Counters:
        """The larger of both, counter by counter."""
        return Counters(*map(max, self, other))

    def capped(self) -> Counters:
        """At most what a column holds: one dimension tuple's hour never truly gets there."""
        return Counters(*(min(value, COLUMN_MAX) for value in self))

    def beyond(self, mark: Counters) -> Counters:
        """What is new since the mark; a counter that fell adds nothing."""
        return Counters(*(max(0, gain) for gain in map(sub, self, mark)))


@dataclass(frozen=True, slots=True)
class SpendRow:
    """The sum of one group."""

    key: str
    counters: Counters
    last_ms: int = 0
    """The minute (or hour, see `spend_by`) of its last booking."""


def book_usage(connection: Connection, requests: Sequence[SyncRequest], now_ms: int) -> None:
    """Book what the counters of a batch have gained since they were last seen."""
    reported, groups = _reported(requests)
    if not reported:
        return
    marks = _rows(connection, _MARKS, reported)
    gained: defaultdict[str, Counters] = defaultdict(Counters)
    fresh: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for ref, counters in reported.items():
        before = marks.get(ref, Counters())
        row = {"ref": ref, "seen_ms": now_ms, **before.peak(counters)._asdict()}
        (moved if ref in marks else fresh).append(row)
        group = reference(*_named(groups[ref]))
        gained[group] = gained[group].plus(counters.beyond(before))
    if fresh:
        connection.execute(insert(usage_marks), fresh)
    update_rows(connection, usage_marks, ["ref"], moved)
    _name(connection, {reference(*_named(names)): names for names in groups.values()})
    _add(connection, now_ms - now_ms % MINUTE_MS, gained)


async def spend_by(
    connection: AsyncConnection, by: SpendBy, since_ms: int, namespace: str = ""
) -> list[SpendRow]:
    """Sums since a moment, the dearest first; of one namespace, if one is named.

    The last two days are kept by the minute, what is older by the hour; a minute or hour counts
    when it began at the moment or later, or holds it.
    """
    group = dimensions.c[by.value]
    query = (
        select(
            group,
            func.sum(spend.c.requests),
            func.sum(spend.c.input_tokens),
            func.sum(spend.c.output_tokens),
            # In two halves: the sum of all costs may pass what 64 bits hold.
            func.sum(spend.c.cost // PICO_PER_MICRO),
            func.sum(spend.c.cost % PICO_PER_MICRO),
            func.sum(spend.c.unconfirmed // PICO_PER_MICRO),
            func.sum(spend.c.unconfirmed % PICO_PER_MICRO),
            func.max(spend.c.minute_ms),
        )
        .join_from(spend, dimensions, spend.c.ref == dimensions.c.ref)
        .where(spend.c.minute_ms > since_ms - MINUTE_MS)
        .group_by(group)
    )
    if namespace:
        query = query.where(dimensions.c.namespace == namespace)
    else:
        # What a gateway booked for a guest, the guest's own sidecar booked as well.
        query = query.where(dimensions.c.workload.not_like("%/%"))
    rows = [_spend_row(*row) for row in await connection.execute(query)]
    return sorted(rows, key=lambda row: (-row.counters.cost, row.key))


def roll_up(connection: Connection, now_ms: int) -> None:
    """Turn minutes older than two days into hours, and forget marks of boots long gone."""
    before_ms = now_ms - limits.SPEND_MINUTES_KEPT_MS
    before_ms -= before_ms % HOUR_MS
    old = select(spend).where(spend.c.minute_ms < before_ms, spend.c.minute_ms % HOUR_MS != 0)
    hours: defaultdict[int, defaultdict[str, Counters]] = defaultdict(lambda: defaultdict(Counters))
    taken = connection.execute(old.limit(limits.ROLLED_UP_MAX)).all()
    for row in taken:
        hour = hours[row.minute_ms - row.minute_ms % HOUR_MS]
        hour[row.ref] = hour[row.ref].plus(_counters(row))
    if taken:
        connection.execute(_DROP, [{"minute": row.minute_ms, "name": row.ref} for row in taken])
    for hour_ms, gained in hours.items():
        _add(connection, hour_ms, gained)
    forgotten = usage_marks.c.seen_ms < now_ms - limits.LEASES_KEPT_MS
    connection.execute(delete(usage_marks).where(forgotten))


def _reported(
    requests: Sequence[SyncRequest],
) -> tuple[dict[str, Counters], dict[str, tuple[str, ...]]]:
    """The highest counters of each boot and dimension tuple, and the tuples."""
    counters: defaultdict[str, Counters] = defaultdict(Counters)
    groups: dict[str, tuple[str, ...]] = {}
    for request in requests:
        for usage in request.usage:
            names = tuple(getattr(usage, by.value) for by in SpendBy)
            ref = reference(request.sidecar, request.boot, *_named(names))
            counters[ref] = counters[ref].peak(_counters(usage))
            groups[ref] = names
    return dict(counters), groups


def _named(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that make a reference: without an empty namespace, as older hubs made it.

    Else everything that a running sidecar has reported to one would be booked again.
    """
    *others, namespace = names
    return names if namespace else tuple(others)


def _name(connection: Connection, groups: Mapping[str, tuple[str, ...]]) -> None:
    columns = [by.value for by in SpendBy]
    rows = [{"ref": r, **dict(zip(columns, n, strict=True))} for r, n in groups.items()]
    insert_new(connection, dimensions, rows)


def _add(connection: Connection, minute_ms: int, gained: Mapping[str, Counters]) -> None:
    gained = {ref: counters for ref, counters in gained.items() if counters != Counters()}
    stored = _rows(connection, _SPEND, gained, {"minute": minute_ms})
    rows: tuple[list[dict[str, Any]], list[dict[str, Any]]] = [], []
    for ref, counters in gained.items():
        total = stored.get(ref, Counters()).plus(counters).capped()
        rows[ref in stored].append({"minute_ms": minute_ms, "ref": ref, **total._asdict()})
    fresh, changed = rows
    if fresh:
        connection.execute(insert(spend), fresh)
    update_rows(connection, spend, ["minute_ms", "ref"], changed)


def _rows(
    connection: Connection,
    query: Select[tuple[Any, ...]],
    refs: Iterable[str],
    values: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Counters]:
    found: dict[str, Counters] = {}
    for some in chunks(refs):
        for row in connection.execute(query, {"refs": some, **values}):
            found[row.ref] = _counters(row)
    return found


def _counters(source: Any) -> Counters:
    return Counters(*(getattr(source, name) for name in Counters._fields))


def _spend_row(key: str, *sums: SupportsInt) -> SpendRow:
    """A row of `spend_by`; PostgreSQL's sums are decimals."""
    requests, read, written, cost, cost_rest, open_cost, open_rest, last_ms = map(int, sums)
    spent, unconfirmed = _pico(cost, cost_rest), _pico(open_cost, open_rest)
    return SpendRow(key, Counters(requests, read, written, spent, unconfirmed), last_ms)


def _pico(micros: int, picos: int) -> int:
    return micros * PICO_PER_MICRO + picos
