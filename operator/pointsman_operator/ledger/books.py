"""The working set of one transaction: leases and pots by key, and every way they may change.

`store` loads the rows that a batch touches, `syncing` applies the requests, `store` writes what
changed. Nothing here does I/O, so a failed commit leaves nothing behind.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pointsman_operator.ledger.arithmetic import LeaseNumbers, LeaseState, Part, Pot
from pointsman_operator.ledger.demand import PotKey
from pointsman_operator.ledger.windows import Window


@dataclass(frozen=True, slots=True)
class Holder:
    """One engine start of one sidecar."""

    sidecar: str
    boot: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Money cut from one pot for one holder. A lease id means something to its holder only."""

    holder: Holder
    id: str
    pot: PotKey
    incarnation: int
    numbers: LeaseNumbers
    expires_ms: int
    seen_ms: int

    @property
    def ref(self) -> str:
        """The key in the store: holders cannot reach, or collide with, each other's leases."""
        return reference(self.holder.sidecar, self.holder.boot, self.id)


@dataclass(frozen=True, slots=True)
class WindowPot:
    """A pot and its window; the ends are unknown for a window that only a late report names."""

    key: PotKey
    pot: Pot
    start: str = ""
    end: str = ""


def reference(*parts: str) -> str:
    """A fixed-length key for a tuple of free texts."""
    # Length before text: no two tuples give the same bytes.
    told = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


class Books:
    """Leases and pots that one transaction reads and changes."""

    def __init__(self, leases: Iterable[Lease] = (), pots: Iterable[WindowPot] = ()) -> None:
        self._leases = {lease.ref: lease for lease in leases}
        self._pots = {pot.key: pot for pot in pots}
        self._by_holder: dict[Holder, set[str]] = defaultdict(set)
        for lease in self._leases.values():
            self._by_holder[lease.holder].add(lease.ref)
        self._stored = frozenset(self._leases), frozenset(self._pots)
        self._changed_leases: set[str] = set()
        self._changed_pots: set[PotKey] = set()

    def lease(self, holder: Holder, lease_id: str) -> Lease | None:
        """The holder's lease of that id."""
        return self._leases.get(reference(holder.sidecar, holder.boot, lease_id))

    def open_leases(self, holder: Holder) -> list[Lease]:
        """The holder's open leases, by account and window."""
        mine = (self._leases[ref] for ref in self._by_holder[holder])
        still_open = (lease for lease in mine if lease.numbers.state is LeaseState.OPEN)
        return sorted(still_open, key=lambda lease: (lease.pot, lease.id))

    def pot(self, key: PotKey) -> WindowPot | None:
        """The pot of that account and window, if anything ever touched it."""
        return self._pots.get(key)

    def open_pot(self, key: PotKey, limit: int | None, window: Window | None) -> WindowPot:
        """The pot, made where it is missing; a known limit (the table's) replaces the old one."""
        found = self._pots.get(key)
        wanted = found or WindowPot(key, Pot(limit or 0))
        if window is not None:
            wanted = replace(wanted, start=window.start.isoformat(), end=window.end.isoformat())
        if limit is not None:
            wanted = replace(wanted, pot=replace(wanted.pot, limit=limit))
        if wanted != found:
            self._pots[key] = wanted
            self._changed_pots.add(key)
        return wanted

    def add(self, lease: Lease) -> None:
        """Enter a lease whose pot is open."""
        self._put(lease, before=Part())

    def change(self, lease: Lease, numbers: LeaseNumbers) -> Lease:
        """Give a lease other numbers, and its pot the difference."""
        changed = replace(lease, numbers=numbers)
        if changed != lease:
            self._put(changed, before=lease.numbers.part)
        return changed

    def renew(self, lease: Lease, *, expires_ms: int, seen_ms: int) -> Lease:
        """Move a lease's expiry; its money stays as it is."""
        renewed = replace(lease, expires_ms=expires_ms, seen_ms=seen_ms)
        self._leases[lease.ref] = renewed
        self._changed_leases.add(lease.ref)
        return renewed

    def changes(self) -> Changes:
        """What the store has to write."""
        leases, pots = self._stored
        return Changes(
            new_leases=[self._leases[ref] for ref in self._changed_leases - leases],
            leases=[self._leases[ref] for ref in self._changed_leases & leases],
            new_pots=[self._pots[key] for key in self._changed_pots - pots],
            pots=[self._pots[key] for key in self._changed_pots & pots],
        )

    def leases(self) -> Iterator[Lease]:
        """Every lease in the working set."""
        return iter(self._leases.values())

    def _put(self, lease: Lease, before: Part) -> None:
        pot = self._pots[lease.pot]
        self._pots[lease.pot] = replace(pot, pot=pot.pot.moved(before, lease.numbers.part))
        self._leases[lease.ref] = lease
        self._by_holder[lease.holder].add(lease.ref)
        self._changed_leases.add(lease.ref)
        self._changed_pots.add(lease.pot)


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows to insert and rows to update."""

    new_leases: list[Lease]
    leases: list[Lease]
    new_pots: list[WindowPot]
    pots: list[WindowPot]
