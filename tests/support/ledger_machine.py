"""Everything that may happen to a ledger and its holders, judged by a book of the test's own.

Holders want, spend, give back, fall silent, report late, repeat old requests; the hub restarts, is
restored, sweeps, and midnights pass. After every step the ledger's terms balance, equal the sums
over what was reported, and no window's true spending passes its limit by more than what the test
itself spent above a lease or an operator released (DESIGN, I8).
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman_operator.ledger.clock import moment
from pointsman_operator.ledger.database import Store
from pointsman_operator.ledger.errors import NotReleasable
from pointsman_operator.ledger.messages import SyncAnswer
from support.ledger_world import DAY, LedgerWorld, sqlite_at, want

HOLDERS = st.sampled_from(["a", "b", "c"])
AMOUNTS = st.integers(1, 400)


@dataclass
class HeldLease:
    """A lease as its holder keeps it: the truth about what was spent."""

    id: str
    window: str
    granted: int
    valid_until_ms: int
    returned: int = 0
    spent: int = 0
    unconfirmed: int = 0
    closed: bool = False
    void: bool = False

    @property
    def free(self) -> int:
        """What the holder may still spend."""
        return self.granted - self.returned - self.spent - self.unconfirmed

    def report(self) -> dict[str, Any]:
        """The holder's numbers."""
        numbers = ("id", "window", "granted", "returned", "spent", "unconfirmed", "closed")
        return {"account": DAY, **{name: getattr(self, name) for name in numbers}}


@dataclass
class HolderBook:
    """One engine start of one sidecar."""

    boot: int = 1
    incarnation: int = 0
    leases: dict[str, HeldLease] = field(default_factory=dict)

    def request(self, *wants: dict[str, Any]) -> dict[str, Any]:
        """A sync that says everything that the holder knows."""
        return {
            "boot": str(self.boot),
            "incarnation": self.incarnation,
            "leases": [lease.report() for lease in self.leases.values()],
            "wants": list(wants),
        }

    def learn(self, answer: SyncAnswer, sent_ms: int) -> None:
        """Take an answer in, as an engine does."""
        self.incarnation = answer.incarnation
        told = {lease.id: lease for lease in answer.leases}
        for known in self.leases.values():
            known.void |= known.id not in told
        for mine in told.values():
            fresh = HeldLease(mine.id, mine.window.key, 0, 0)
            held = self.leases.setdefault(mine.id, fresh)
            held.granted = max(held.granted, mine.granted)
            held.valid_until_ms = sent_ms + mine.hard_expiry_ms


class LedgerMachine(RuleBasedStateMachine):
    """Everything that may happen to a ledger and its holders."""

    MINUTES = st.sampled_from([1, 15, 20, 300, 1440])

    def __init__(self) -> None:
        super().__init__()
        self.kept = ExitStack()
        self.world = LedgerWorld(self.kept.enter_context(self.new_store()))
        self.holders = {name: HolderBook() for name in "abc"}
        self.old_requests: list[tuple[str, dict[str, Any]]] = []
        self.true_spend: defaultdict[str, int] = defaultdict(int)
        self.slack: defaultdict[str, int] = defaultdict(int)
        self.vanished: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def new_store(self) -> Iterator[Callable[[], Store]]:
        """An empty store, for one example."""
        with tempfile.TemporaryDirectory() as folder:
            yield sqlite_at(Path(folder) / "ledger.db")

    @rule(name=HOLDERS, need=AMOUNTS, more=AMOUNTS, heard=st.booleans(), ahead=st.booleans())
    def wants(self, name: str, need: int, more: int, heard: bool, ahead: bool) -> None:  # noqa: FBT001
        """A holder asks for money; its answer may be lost."""
        book = self.holders[name]
        held = [le for le in book.leases.values() if not le.closed and not le.void and not ahead]
        have = max((le.granted for le in held if le.window == self.window()), default=0)
        asked = want(need, need + more, have=have, next=ahead)
        self.sync(name, book.request(asked), heard=heard)

    @rule(name=HOLDERS, heard=st.booleans())
    def renews(self, name: str, heard: bool) -> None:  # noqa: FBT001
        """A holder reports without wanting anything."""
        self.sync(name, self.holders[name].request(), heard=heard)

    @rule(name=HOLDERS, data=st.data())
    def spends(self, name: str, data: st.DataObject) -> None:
        """A holder spends from a lease that it may still use."""
        lease = self.pick(name, data)
        if lease is not None and lease.free > 0:
            amount = data.draw(st.integers(1, lease.free))
            lease.spent += amount
            self.true_spend[lease.window] += amount

    @rule(name=HOLDERS, data=st.data(), amount=AMOUNTS)
    def overspends(self, name: str, data: st.DataObject, amount: int) -> None:
        """A stream turns out dearer than its reservation."""
        lease = self.pick(name, data)
        if lease is not None:
            lease.spent += amount
            self.true_spend[lease.window] += amount
            self.slack[lease.window] += amount

    @rule(name=HOLDERS, data=st.data())
    def gives_back(self, name: str, data: st.DataObject) -> None:
        """A holder returns what is free, as after a recall."""
        lease = self.pick(name, data)
        if lease is not None and lease.free > 0:
            lease.returned += lease.free

    @rule(name=HOLDERS)
    def closes_void_leases(self, name: str) -> None:
        """What the hub no longer lists is settled and closed."""
        for lease in self.holders[name].leases.values():
            lease.closed |= lease.void

    @rule(name=HOLDERS)
    def crashes(self, name: str) -> None:
        """The engine starts again and reports its journal under the old boot, then forgets it."""
        book = self.holders[name]
        for lease in book.leases.values():
            lease.closed = True
        request = book.request() | {"final": True}
        self.old_requests.append((name, request))
        self.world.sync(name, **request)
        self.holders[name] = HolderBook(boot=book.boot + 1)

    @rule(name=HOLDERS)
    def vanishes(self, name: str) -> None:
        """The pod is gone with its journal: nobody will ever report these leases."""
        for lease in self.holders[name].leases.values():
            self.vanished[lease.window] += lease.spent
        self.holders[name] = HolderBook(boot=self.holders[name].boot + 1)

    @precondition(lambda self: self.old_requests)
    @rule(data=st.data())
    def an_old_request_arrives_again(self, data: st.DataObject) -> None:
        """Reports and wants that the network kept back change nothing for the worse."""
        name, request = data.draw(st.sampled_from(self.old_requests))
        self.world.sync(name, **request)

    @rule(minutes=MINUTES)
    def time_passes(self, minutes: int) -> None:
        """From a renewal's time to a whole day; what is silent for too long expires."""
        self.world.clock.time_ms += minutes * 60_000
        self.world.run(self.world.ledger.sweep())

    @rule(back_ms=st.integers(1, 10**8))
    def the_wall_clock_goes_back(self, back_ms: int) -> None:
        """The ledger's clock does not."""
        self.world.clock.time_ms -= back_ms
        self.world.ledger.database.clock.now_ms()
        self.world.clock.time_ms += back_ms

    @rule()
    def the_hub_restarts(self) -> None:
        """All that was answered is still there."""
        self.world.restart()

    @rule()
    def a_new_incarnation_begins(self) -> None:
        """The operator says that the ledger was restored."""
        self.world.run(self.world.ledger.begin_incarnation("test"))

    @rule()
    def an_operator_releases(self) -> None:
        """Unconfirmed money of today is declared unspent."""
        try:
            freed = self.world.run(self.world.ledger.release(DAY, self.window(), "test"))
        except NotReleasable:
            return
        self.slack[self.window()] += freed

    @invariant()
    def i8_money_is_conserved(self) -> None:
        """Every term is >= 0, they balance, and what is and may be spent stays within the limit."""
        for balance in self.world.run(self.world.ledger.balances(every=True)):
            pot = balance.pot
            terms = (pot.settled, pot.unconfirmed, pot.leased, pot.available, pot.overrun)
            assert min(terms) >= 0
            assert sum(terms[:4]) == pot.limit + pot.overrun
            spent = self.true_spend[balance.window]
            assert spent + self.spendable(balance.window) <= pot.limit + self.slack[balance.window]
            assert pot.settled <= spent

    def teardown(self) -> None:
        """The holders' last reports settle what was truly spent; then all is closed."""
        try:
            self.settle_all()
        finally:
            self.world.close()
            self.kept.close()

    def settle_all(self) -> None:
        """What the ledger settled is what was truly spent, but for pods that vanished."""
        for name, book in self.holders.items():
            for lease in book.leases.values():
                lease.closed = True
            self.world.sync(name, **book.request(), final=True)
        settled = {
            balance.window: balance.pot.settled
            for balance in self.world.run(self.world.ledger.balances(every=True))
        }
        for window, spent in self.true_spend.items():
            assert spent - self.vanished[window] <= settled.get(window, 0) <= spent

    def sync(self, name: str, request: dict[str, Any], *, heard: bool) -> None:
        """One request of a holder, whose answer it may not get."""
        sent_ms = self.world.ledger.database.clock.now_ms()
        self.old_requests = [*self.old_requests[-20:], (name, request)]
        answer = self.world.sync(name, **request)
        if heard:
            self.holders[name].learn(answer, sent_ms)

    def pick(self, name: str, data: st.DataObject) -> HeldLease | None:
        """A lease that its holder may use now: not closed, not void, not lapsed."""
        usable = self.usable(name)
        return data.draw(st.sampled_from(usable)) if usable else None

    def usable(self, name: str) -> list[HeldLease]:
        """What a holder may spend from now."""
        now_ms = self.world.ledger.database.clock.now_ms()
        return [
            lease
            for lease in self.holders[name].leases.values()
            if not lease.closed and not lease.void and now_ms < lease.valid_until_ms
        ]

    def spendable(self, window: str) -> int:
        """What all holders together may spend of a window without asking again."""
        held = (lease for name in self.holders for lease in self.usable(name))
        return sum(max(0, lease.free) for lease in held if lease.window == window)

    def window(self) -> str:
        """Today, by the ledger's clock."""
        now_ms = self.world.ledger.database.clock.now_ms()
        return self.world.ledger.accounts[DAY].window.at(moment(now_ms)).key
