"""The ledger: syncs, expiry, balances, release, over one database.

The hub makes one and calls it from its routes and from its periodic sweep. Concurrent syncs share a
transaction; an answer is given only when it is on disk.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.accounts import Account
from pointsman_operator.ledger.arithmetic import LeaseState, Pot
from pointsman_operator.ledger.batching import GroupCommit
from pointsman_operator.ledger.books import Books, Lease, WindowPot
from pointsman_operator.ledger.clock import moment
from pointsman_operator.ledger.database import Database, note
from pointsman_operator.ledger.demand import Demand, PotKey
from pointsman_operator.ledger.errors import NotReleasable
from pointsman_operator.ledger.messages import SyncAnswer, SyncRequest, Usage
from pointsman_operator.ledger.recalls import Recalls
from pointsman_operator.ledger.schema import leases, pots
from pointsman_operator.ledger.spend import SpendBy, SpendRow, book_usage, roll_up, spend_by
from pointsman_operator.ledger.store import (
    chunks,
    load_books,
    read_pot,
    select_leases,
    with_pots,
    write_changes,
)
from pointsman_operator.ledger.syncing import UNKNOWN_WINDOW, Bounds, Syncing


@dataclass(frozen=True, slots=True)
class Balance:
    """A pot as people see it; `declared` is false when no table names its Budget any more."""

    account: str
    window: str
    pot: Pot
    resets_at: str
    declared: bool
    current: bool
    """Whether the ledger's clock stands in this window, and there is such a Budget."""
    turned_away: int = 0
    """The smallest need that was turned away since one was last met; what is left may be less."""


class Ledger:
    """Everything that moves money between a limit and its holders."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.accounts: Mapping[str, Account] = {}
        """What the route tables declare; the hub replaces it as a whole."""
        self.existing: Mapping[str, Account] = {}
        """Of all Budgets that there are, as the controller tells it: shown, be they in no table,
        and never granted from. The hub replaces it as a whole."""
        self.unknown_leases = 0
        self.call: Callable[[Collection[str]], None] = _call_nobody
        """Tells sidecars to sync now, because somebody waits for what they may not use."""
        self._demand = Demand()
        self._recalls = Recalls()
        self._expire_from_ms = database.clock.now_ms() + limits.STARTUP_GRACE_MS
        self._syncs = GroupCommit(
            self._commit,
            batch_max=limits.SYNCS_PER_COMMIT_MAX,
            waiting_max=limits.SYNCS_WAITING_MAX,
        )

    async def close(self) -> None:
        """Finish what was accepted."""
        await self._syncs.close()

    async def sync(self, request: SyncRequest, bounds: Bounds | None = None) -> SyncAnswer:
        """Apply one sync within the holder's bounds.

        Raises `StoreUnavailable` (nothing was granted or lost) or `TooBusy`.
        """
        if bounds is not None:
            # Whose usage it is says the token, not the holder.
            usage = [_owned(counters, bounds) for counters in request.usage]
            request = request.model_copy(update={"usage": usage})
        return await self._syncs.submit((request, bounds))

    async def begin_incarnation(self, why: str) -> int:
        """After a restore, every open lease is lost until its holder reports; the new number.

        Nothing is granted until every living holder has: see `readmitting`.
        """
        now_ms = self.database.clock.now_ms()
        # A backup that is restored twice must not give the same number twice: holders would take
        # the second ledger for the first one, which knew their leases and had booked their usage.
        since_s = (now_ms - limits.INCARNATIONS_SINCE_MS) // 1000
        incarnation = max(self.database.incarnation + 1, since_s)

        def work(connection: Connection) -> None:
            query = select(leases).where(leases.c.state == LeaseState.OPEN)
            self._lose(connection, select_leases(connection, query))
            self.database.set_incarnation(connection, incarnation, now_ms)
            note(connection, now_ms, "incarnation", why)

        await self.database.write(work)
        self.database.incarnation, self.database.incarnation_ms = incarnation, now_ms
        return incarnation

    async def sweep(self) -> int:
        """Move the rest of silent leases to unconfirmed, drop what is old; how many were lost."""
        now_ms = self.database.clock.now_ms()

        def work(connection: Connection) -> int:
            lost: list[Lease] = []
            if now_ms >= self._expire_from_ms:
                query = (
                    select(leases)
                    .where(leases.c.state == LeaseState.OPEN, leases.c.expires_ms <= now_ms)
                    .limit(limits.EXPIRIES_PER_SWEEP_MAX)
                )
                lost = select_leases(connection, query)
                self._lose(connection, lost)
            roll_up(connection, now_ms)
            _drop_old_leases(connection, now_ms)
            return len(lost)

        return await self.database.write(work)

    async def release(self, account: str, window: str, reason: str) -> int:
        """An operator frees what is unconfirmed in a window, audited; the freed picodollars."""
        now_ms = self.database.clock.now_ms()

        def work(connection: Connection) -> int:
            query = select(leases).where(
                leases.c.account == account,
                leases.c.window == window,
                leases.c.state.in_([LeaseState.LOST, LeaseState.CLOSED]),
            )
            books = with_pots(connection, select_leases(connection, query))
            freed = 0
            for lease in list(books.leases()):
                if unconfirmed := lease.numbers.part.unconfirmed:
                    freed += unconfirmed
                    books.change(lease, lease.numbers.released())
            if not freed:
                raise NotReleasable(f"nothing is unconfirmed in {account} {window}")
            write_changes(connection, books.changes())
            detail = f"{account} {window}: {freed} picodollars: {reason}"
            note(connection, now_ms, "release", detail)
            return freed

        return await self.database.write(work)

    async def balances(self, *, every: bool = False) -> list[Balance]:
        """Each account's current window and others with open money; with `every`, all of them."""
        now = moment(self.database.clock.now_ms())
        # What is granted from decides what a limit is.
        shown = {**self.existing, **self.accounts}
        current = {a.name: a.window.at(now) for a in shown.values()}
        keys = [(name, window.key) for name, window in current.items()]
        async with self.database.reading() as connection:
            found = {pot.key: pot for pot in await _shown_pots(connection, keys, every=every)}
        for name, window in current.items():
            key, limit = (name, window.key), shown[name].limit
            known = found.get(key) or WindowPot(key, Pot(limit), end=window.end.isoformat())
            found[key] = replace(known, pot=replace(known.pot, limit=limit))
        balances = [_balance(pot, self.accounts, set(keys), self._demand) for pot in found.values()]
        return sorted(balances, key=lambda balance: (balance.account, balance.resets_at))

    async def spend(self, by: SpendBy, since_ms: int, namespace: str = "") -> list[SpendRow]:
        """What was spent since a moment, grouped; of one namespace, if one is named."""
        async with self.database.reading() as connection:
            return await spend_by(connection, by, since_ms, namespace)

    async def _commit(
        self, asked: Sequence[tuple[SyncRequest, Bounds | None]]
    ) -> Sequence[SyncAnswer]:
        # One set of accounts and one moment for the whole batch, also across midnight.
        batch = [request for request, _ in asked]
        accounts, now_ms = self.accounts, self.database.clock.now_ms()

        def work(connection: Connection) -> list[SyncAnswer]:
            syncing = Syncing(
                books=load_books(connection, batch, _pots_named(batch, accounts, now_ms)),
                accounts=accounts,
                incarnation=self.database.incarnation,
                settles_ms=self.database.settles_ms(now_ms),
                now_ms=now_ms,
                demand=self._demand,
                recalls=self._recalls,
                new_id=lambda: uuid.uuid4().hex,
            )
            answers = [syncing.apply(request, bounds) for request, bounds in asked]
            write_changes(connection, syncing.books.changes())
            book_usage(connection, batch, syncing.now_ms)
            self.unknown_leases += syncing.unknown_leases
            return answers

        answers = await self.database.write(work)
        if called := self._recalls.called():
            self.call(called)
        return answers

    def _lose(self, connection: Connection, silent: Sequence[Lease]) -> None:
        books: Books = with_pots(connection, silent)
        for lease in silent:
            books.change(lease, lease.numbers.lost())
        write_changes(connection, books.changes())


def _pots_named(
    batch: Sequence[SyncRequest], accounts: Mapping[str, Account], now_ms: int
) -> set[PotKey]:
    """Every pot that the batch may touch beyond those of its leases."""
    named = {(report.account, report.window) for r in batch for report in r.leases}
    named |= {(want.account, want.window) for r in batch for want in r.wants}
    keys = {(account, window or UNKNOWN_WINDOW) for account, window in named}
    for name in {account for account, _ in named} & accounts.keys():
        spec = accounts[name].window
        current = spec.at(moment(now_ms))
        around = (spec.before(current), current, spec.after(current))
        keys |= {(name, window.key) for window in around}
    return keys


def _drop_old_leases(connection: Connection, now_ms: int) -> None:
    """Forget leases whose holder was done long ago; their money stays in the pot."""
    done = leases.c.state.in_([LeaseState.CLOSED, LeaseState.RELEASED])
    old = leases.c.seen_ms < now_ms - limits.LEASES_KEPT_MS
    connection.execute(delete(leases).where(done, old, leases.c.unconfirmed == 0))


async def _shown_pots(
    connection: AsyncConnection, current: Sequence[PotKey], *, every: bool
) -> list[WindowPot]:
    holds_money = or_(pots.c.leased != 0, pots.c.unconfirmed != 0)
    queries = [select(pots) if every else select(pots).where(holds_money)]
    if not every:
        key = tuple_(pots.c.account, pots.c.window)
        queries += [select(pots).where(key.in_(some)) for some in chunks(current)]
    rows = [row for query in queries for row in (await connection.execute(query)).mappings()]
    return [read_pot(row) for row in rows]


def _balance(
    pot: WindowPot, accounts: Mapping[str, Account], current: Collection[PotKey], demand: Demand
) -> Balance:
    return Balance(
        *pot.key,
        pot=pot.pot,
        resets_at=pot.end,
        declared=pot.key[0] in accounts,
        current=pot.key in current,
        turned_away=demand.turned_away(pot.key),
    )


def _call_nobody(sidecars: Collection[str]) -> None:
    """Where no stream leads to them: they come with their next renewal."""
    del sidecars


def _owned(counters: Usage, bounds: Bounds) -> Usage:
    """A slash in a workload's name says that a gateway served it: nobody else may write one."""
    named = counters.workload if bounds.guests else counters.workload.replace("/", "_")
    return counters.model_copy(update={"namespace": bounds.namespace, "workload": named})
