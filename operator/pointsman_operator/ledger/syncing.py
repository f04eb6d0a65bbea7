"""One sync, applied to the books: reports first, then wants, then the answer. Pure but for the ids.

`store` calls `Syncing.apply` once a request inside a transaction; the batch before has committed.
The steps read top to bottom in `apply`.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pointsman_operator.ledger import granting, limits, readmitting
from pointsman_operator.ledger.accounts import Account
from pointsman_operator.ledger.arithmetic import LeaseNumbers, LeaseState, Pot
from pointsman_operator.ledger.books import Books, Holder, Lease
from pointsman_operator.ledger.clock import milliseconds, moment
from pointsman_operator.ledger.demand import Demand, PotKey
from pointsman_operator.ledger.messages import (
    AccountState,
    Denial,
    Denied,
    LeaseAnswer,
    LeaseReport,
    SyncAnswer,
    SyncRequest,
    WantRequest,
    WindowAnswer,
)
from pointsman_operator.ledger.recalls import Recalls
from pointsman_operator.ledger.windows import Window

UNKNOWN_WINDOW = "unknown"
"""Where a lease of an unknown account is booked that names no window."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a holder may book on, for holders that are not trusted with everything."""

    namespace: str
    accounts: frozenset[str]
    """Those of its namespace's tables; also its namespace's own Budgets, be they deleted."""
    guests: bool = False
    """It is a gateway: it serves workloads of other namespaces, whose names hold a slash."""

    def allow(self, account: str) -> bool:
        """Whether the holder may."""
        return account in self.accounts or account.startswith(self.namespace + "/")


@dataclass(slots=True)
class Syncing:
    """What every sync of a batch is judged by."""

    books: Books
    accounts: Mapping[str, Account]
    incarnation: int
    settles_ms: int
    """For how long nothing is granted yet, because the ledger was restored."""
    now_ms: int
    demand: Demand
    recalls: Recalls
    new_id: Callable[[], str]
    unknown_leases: int = field(default=0, init=False)
    _turns: dict[PotKey, int] = field(default_factory=dict, init=False)
    """What the sync that is being answered was told, one turn a limit."""
    _free: dict[str, int | None] = field(default_factory=dict, init=False)
    """What of each lease its holder says that nobody uses."""
    _grants: dict[PotKey, tuple[int, int]] = field(default_factory=dict, init=False)
    """What was granted on a pot, and what of it callers wait for."""

    def apply(self, request: SyncRequest, bounds: Bounds | None = None) -> SyncAnswer:
        """Book what the holder reports, grant what it wants, say what it holds.

        Beyond its bounds a holder keeps leases that were granted to it, and gets nothing else.
        """
        holder = Holder(request.sidecar, request.boot)
        self._turns.clear()
        self._grants.clear()
        self._free = {report.id: report.free for report in request.leases}
        may = bounds.allow if bounds else _anything
        # A foreign account is answered as an unknown one is.
        for report in request.leases:
            if may(report.account) or self.books.lease(holder, report.id):
                self._book(holder, report, request.incarnation)
        if self.settles_ms:
            readmitting.readmit(self.books, self.incarnation, request, self._pot_of)
        if request.final:
            self._close_unused(holder, {report.id for report in request.leases})
        denied: list[Denied] = []
        # Engines that void every lease of another incarnation would void new grants with them.
        if request.incarnation in (0, self.incarnation) or self.settles_ms:
            denied = [
                refused
                for want in request.wants
                if (refused := self._grant(holder, want) if may(want.account) else _unknown(want))
            ]
        named = dict.fromkeys(
            itertools.chain(
                (report.account for report in request.leases),
                (want.account for want in request.wants),
            )
        )
        return SyncAnswer(
            incarnation=self.incarnation,
            seq=request.seq,
            now_ms=self.now_ms,
            leases=self._held(holder, request),
            denied=denied,
            states=[
                self._state(self.accounts[name])
                for name in named
                if name in self.accounts and may(name)
            ],
        )

    def _book(self, holder: Holder, report: LeaseReport, incarnation: int) -> None:
        lease = self.books.lease(holder, report.id) or self._adopt(holder, report, incarnation)
        numbers = lease.numbers.reported(
            returned=report.returned,
            spent=report.spent,
            unconfirmed=report.unconfirmed,
            closed=report.closed,
        )
        self.books.change(lease, numbers)
        if numbers.state is not LeaseState.OPEN:
            self.recalls.seen(lease.pot, holder, rest=0, free=0, now_ms=self.now_ms)

    def _adopt(self, holder: Holder, report: LeaseReport, incarnation: int) -> Lease:
        """A lease that this ledger never granted: what was spent counts, its grant does not."""
        self.unknown_leases += 1
        key = self._window_of_unknown(report.account, report.window)
        account = self.accounts.get(report.account)
        window = self._window(account, key[1]) if account else None
        if account and window:
            self._open(account, window)
        else:
            self.books.open_pot(key, None, None)
        lost = LeaseNumbers(state=LeaseState.LOST)
        granted_in = incarnation or self.incarnation
        lease = Lease(holder, report.id, key, granted_in, lost, self.now_ms, self.now_ms)
        self.books.add(lease)
        return lease

    def _window_of_unknown(self, account: str, window: str | None) -> PotKey:
        if window is not None:
            return account, window
        known = self.accounts.get(account)
        return account, known.window.at(moment(self.now_ms)).key if known else UNKNOWN_WINDOW

    def _close_unused(self, holder: Holder, named: set[str]) -> None:
        for lease in self.books.open_leases(holder):
            if lease.id not in named:
                kept = lease.numbers
                closed = kept.reported(returned=0, spent=0, unconfirmed=0, closed=True)
                self.books.change(lease, closed)

    def _grant(self, holder: Holder, want: WantRequest) -> Denied | None:
        account = self.accounts.get(want.account)
        if account is None:
            return _unknown(want)
        window = self._wanted_window(holder, account, want)
        if window is None:
            return self._not_yet(account, want)
        key = (account.name, window.key)
        pot = self._open(account, window)
        if self.settles_ms:
            denied = _denied(account, window, Denial.RESTORED, pot)
            again_ms = readmitting.again_ms(self.settles_ms, holder)
            return denied.model_copy(update={"again_ms": again_ms})
        held = self._lease_of(holder, key)
        granted = held.numbers.granted if held else 0
        asked = granting.Want(want.have, want.need, want.prefer, want.reserve)
        # What others wait for is no more than used; too little for this need is left to them.
        yields = self.recalls.must_yield(key, holder, self.now_ms)
        if yields:
            asked = granting.Want(want.have, want.need, want.need)
        grant = granting.size(pot, asked, granted, ceiling_percent=account.ceiling_percent)
        if yields and grant.short:
            grant = granting.Grant(0, short=True)
        if want.need:
            self.demand.note(key, want.need, holder, short=grant.short, now_ms=self.now_ms)
        if grant.amount:
            lease = held or self._new_lease(holder, account, key)
            self.books.change(lease, lease.numbers.grown(grant.amount))
        self._grants[key] = grant.amount, 0 if grant.short else want.need
        if not grant.short:
            self.recalls.met(key, holder)
            return None
        # Blocked: the limit itself would still allow it, a Block threshold below 100 % does not.
        code = Denial.BLOCKED if pot.available >= want.need else Denial.EXHAUSTED
        denied = _denied(account, window, code, pot)
        wait_ms = self.recalls.waits(key, holder, self.now_ms) or None
        told = {"again_ms": self._again_ms(key, window), "wait_ms": wait_ms}
        return denied.model_copy(update=told)

    def _again_ms(self, key: PotKey, window: Window) -> int:
        """When it is worth asking again: by turns, and no later than when the window turns."""
        if key not in self._turns:
            pot = self.books.open_pot(key, None, None).pot
            turns = limits.TURNS_PER_SECOND if pot.leased else limits.TURNS_PER_SECOND_SPENT
            turn_ms = self.demand.turn(key, turns, self.now_ms)
            left_ms = milliseconds(window.end) - self.now_ms
            self._turns[key] = min(turn_ms, left_ms) if left_ms > 0 else turn_ms
        return self._turns[key]

    def _open(self, account: Account, window: Window) -> Pot:
        """The pot of that window; a window that is over keeps the limit that it had."""
        key = (account.name, window.key)
        over = milliseconds(window.end) <= self.now_ms and self.books.pot(key) is not None
        return self.books.open_pot(key, None if over else account.limit, window).pot

    def _pot_of(self, lease: Lease) -> Pot | None:
        """The pot that a lease was cut from, where its Budget and its window are known."""
        account = self.accounts.get(lease.pot[0])
        window = self._window(account, lease.pot[1]) if account else None
        return self._open(account, window) if account and window else None

    def _wanted_window(self, holder: Holder, account: Account, want: WantRequest) -> Window | None:
        """The window a want means, or nothing where money for it is not, or no longer, granted."""
        now = moment(self.now_ms)
        current = account.window.at(now)
        window = current if want.window is None else self._window(account, want.window)
        if window is None:
            return None
        if want.next:
            window = account.window.after(window)
        ahead_ms = milliseconds(window.start) - self.now_ms
        if ahead_ms > account.hard_expiry_ms:
            return None
        over_ms = self.now_ms - milliseconds(window.end)
        if over_ms > account.hard_expiry_ms and not self._lease_of(
            holder, (account.name, window.key)
        ):
            return None
        return window

    def _window(self, account: Account, key: str) -> Window | None:
        """The window of that key among the ones around now, or the one that a pot remembers."""
        current = account.window.at(moment(self.now_ms))
        for window in (
            current,
            account.window.after(current),
            account.window.before(current),
        ):
            if window.key == key:
                return window
        pot = self.books.pot((account.name, key))
        if pot is None or not pot.start:
            return None
        return account.window.at(dt.datetime.fromisoformat(pot.start))

    def _not_yet(self, account: Account, want: WantRequest) -> Denied:
        current = account.window.at(moment(self.now_ms))
        found = self.books.pot((account.name, current.key))
        pot = found.pot if found else Pot(account.limit)
        denied = _denied(account, current, Denial.NOT_YET, pot)
        return denied.model_copy(update={"window": want.window or current.key})

    def _lease_of(self, holder: Holder, key: PotKey) -> Lease | None:
        return next((le for le in self.books.open_leases(holder) if le.pot == key), None)

    def _new_lease(self, holder: Holder, account: Account, key: PotKey) -> Lease:
        expires_ms = self._expiry_ms(account.hard_expiry_ms)
        empty = LeaseNumbers()
        lease = Lease(holder, self.new_id(), key, self.incarnation, empty, expires_ms, self.now_ms)
        self.books.add(lease)
        return lease

    def _held(self, holder: Holder, request: SyncRequest) -> list[LeaseAnswer]:
        """Every open lease of the holder, renewed."""
        readmitting.forget(self.books, self.incarnation, request)
        # What is kept for an outage is not wanted now.
        wanted = {want.account for want in request.wants if want.need or want.prefer}
        needed = {want.account for want in request.wants if want.need}
        return [
            self._renewed(lease, idle=lease.pot[0] not in wanted, needs=lease.pot[0] in needed)
            for lease in self.books.open_leases(holder)
        ]

    def _renewed(self, lease: Lease, *, idle: bool, needs: bool) -> LeaseAnswer:
        account = self.accounts.get(lease.pot[0])
        ceiling = account.ceiling_percent if account else 100
        hard_expiry_ms = account.hard_expiry_ms if account else limits.HARD_EXPIRY_MS
        expires_ms = self._expiry_ms(hard_expiry_ms)
        self.books.renew(lease, expires_ms=expires_ms, seen_ms=self.now_ms)
        pot = self.books.open_pot(lease.pot, None, None)
        near = granting.near_end(
            pot.pot, self.demand.needs(lease.pot), ceiling
        ) or self.demand.starved(lease.pot, self.now_ms)
        # A sole holder gives to nobody, unless somebody without a lease was just turned away; a
        # holder that wants more gets what it needs instead.
        others = pot.pot.holders > 1 or self.demand.others_starve(
            lease.pot, lease.holder, self.now_ms
        )
        rest = lease.numbers.rest
        recall = rest > 0 and ((near and idle and others) or self._yields(lease, needs=needs))
        self._note_free(lease)
        return LeaseAnswer(
            id=lease.id,
            account=lease.pot[0],
            window=WindowAnswer(key=lease.pot[1], start=pot.start, end=pot.end),
            granted=lease.numbers.granted,
            hard_expiry_ms=hard_expiry_ms,
            # Who has nothing to give back need not come often.
            renew_every_ms=granting.renew_every_ms(pot.pot, hard_expiry_ms, near=near and rest > 0),
            recall=recall,
        )

    def _yields(self, lease: Lease, *, needs: bool) -> bool:
        """Whether another holder's callers come first: before what this one would only like."""
        if needs and not self.recalls.asks(lease.pot, lease.holder):
            return False
        return self.recalls.must_yield(lease.pot, lease.holder, self.now_ms)

    def _note_free(self, lease: Lease) -> None:
        """What nobody uses of it now, as far as its holder says so."""
        amount, met = self._grants.get(lease.pot, (0, 0))
        free = self._free.get(lease.id, 0)
        rest = 0 if free is None else lease.numbers.rest
        # Callers that are served take what was free before as well.
        free = max(0, amount - met) if met else (free or 0) + amount
        self.recalls.seen(lease.pot, lease.holder, rest=rest, free=free, now_ms=self.now_ms)

    def _state(self, account: Account) -> AccountState:
        window = account.window.at(moment(self.now_ms))
        pot = self._open(account, window)
        crossed = [t for t in account.thresholds if pot.crossed(t.percent)]
        blocks = any(threshold.blocks for threshold in crossed)
        return AccountState(
            account=account.name,
            window=window.key,
            limit=pot.limit,
            used=pot.used,
            resets_at=window.end.isoformat(),
            threshold=max((threshold.percent for threshold in crossed), default=0),
            again_ms=self._again_ms((account.name, window.key), window) if blocks else None,
        )

    def _expiry_ms(self, hard_expiry_ms: int) -> int:
        return self.now_ms + hard_expiry_ms + limits.EXPIRY_MARGIN_MS


def _anything(account: str) -> bool:
    del account
    return True


def _unknown(want: WantRequest) -> Denied:
    code = Denial.UNKNOWN_ACCOUNT
    return Denied(account=want.account, window=want.window or "", code=code)


def _denied(account: Account, window: Window, code: Denial, pot: Pot) -> Denied:
    return Denied(
        account=account.name,
        window=window.key,
        code=code,
        resets_at=window.end.isoformat(),
        limit=pot.limit,
        used=pot.used,
    )
