"""The arithmetic of limits and leases: pure, integers in picodollars, invariant I8.

`books` calls it for every report, grant and expiry. A lease's numbers decide its `Part` of the pot
it was cut from, and a pot only ever moves by the difference of two parts, so the pot always equals
the sum over its leases: settled + unconfirmed + leased + available = limit + overrun, every term >=
0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class LeaseState(StrEnum):
    """What has become of a lease."""

    OPEN = "open"
    LOST = "lost"
    """Its holder fell silent, the ledger was restored, or the ledger never granted it."""
    CLOSED = "closed"
    """Its holder is done with it."""
    RELEASED = "released"
    """An operator has decided that what is unreported was not spent."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one lease contributes to its pot."""

    settled: int = 0
    unconfirmed: int = 0
    leased: int = 0
    holders: int = 0


@dataclass(frozen=True, slots=True)
class LeaseNumbers:
    """A lease's money: every number is cumulative over its life and never falls."""

    granted: int = 0
    returned: int = 0
    spent: int = 0
    unconfirmed: int = 0
    forgiven: int = 0
    state: LeaseState = LeaseState.OPEN

    @property
    def rest(self) -> int:
        """What was granted and is neither given back nor reported as spent."""
        return max(0, self.granted - self.returned - self.spent - self.unconfirmed)

    @property
    def part(self) -> Part:
        """The lease's contribution to its pot."""
        unconfirmed = max(0, self.unconfirmed - self.forgiven)
        if self.state is LeaseState.OPEN:
            return Part(self.spent, unconfirmed, self.rest, 1)
        if self.state is LeaseState.LOST:
            return Part(self.spent, unconfirmed + self.rest, 0, 0)
        return Part(self.spent, unconfirmed, 0, 0)

    def grown(self, amount: int) -> LeaseNumbers:
        """`amount` more is granted; only an open lease grows."""
        if self.state is not LeaseState.OPEN or amount < 0:
            raise ValueError(f"cannot grant {amount} on a lease that is {self.state}")
        return replace(self, granted=self.granted + amount)

    def reported(
        self, *, returned: int, spent: int, unconfirmed: int, closed: bool
    ) -> LeaseNumbers:
        """The holder's numbers, on time, late or repeated: the larger stands, `closed` sticks."""
        state = self.state
        if closed and state is not LeaseState.RELEASED:
            state = LeaseState.CLOSED
        return replace(
            self,
            returned=max(self.returned, returned),
            spent=max(self.spent, spent),
            unconfirmed=max(self.unconfirmed, unconfirmed),
            state=state,
        )

    def lost(self) -> LeaseNumbers:
        """The holder is silent: the unreported rest counts as spent until it reports."""
        return replace(self, state=LeaseState.LOST) if self.state is LeaseState.OPEN else self

    def readmitted(self, granted: int, *, at_most: int) -> LeaseNumbers:
        """After a restore: the holder's word for what it was granted stands, and it goes on.

        Only where nobody was done with the lease, and what is left of it is no more than `at_most`.
        """
        open_again = replace(self, granted=max(self.granted, granted), state=LeaseState.OPEN)
        plausible = self.state is LeaseState.LOST and open_again.rest <= at_most
        return open_again if plausible else self

    def released(self) -> LeaseNumbers:
        """An operator frees what is unconfirmed; raises `ValueError` while a holder may spend."""
        if self.state is LeaseState.OPEN:
            raise ValueError("an open lease still has its holder; recall it or wait for its expiry")
        return replace(self, state=LeaseState.RELEASED, forgiven=self.unconfirmed)


@dataclass(frozen=True, slots=True)
class Pot:
    """One limit in one window: the sums over all leases cut from it."""

    limit: int
    settled: int = 0
    unconfirmed: int = 0
    leased: int = 0
    holders: int = 0

    @property
    def used(self) -> int:
        """What counts as spent, for thresholds; leased money may still come back."""
        return self.settled + self.unconfirmed

    @property
    def available(self) -> int:
        """What may still be granted."""
        return max(0, self.limit - self.used - self.leased)

    @property
    def overrun(self) -> int:
        """What is above the limit: streams above their lease, or a limit that was lowered."""
        return max(0, self.used + self.leased - self.limit)

    def moved(self, before: Part, after: Part) -> Pot:
        """The pot after one of its leases changed from one part to another."""
        return replace(
            self,
            settled=self.settled + after.settled - before.settled,
            unconfirmed=self.unconfirmed + after.unconfirmed - before.unconfirmed,
            leased=self.leased + after.leased - before.leased,
            holders=self.holders + after.holders - before.holders,
        )

    def crossed(self, percent: int) -> bool:
        """Whether at least that share of the limit counts as spent."""
        return self.used * 100 >= percent * self.limit
