"""Who holds money that nobody uses, and who waits for it: the memory behind recalls.

`syncing` notes here what every holder says of its leases. A need that the pot cannot meet is turned
away for good only when nobody else may hold idle money of it: until then its holder is told to wait
and the others are called to give theirs back. Kept in memory: a hub that starts again learns it
from the next syncs, and refuses meanwhile as if nothing were idle.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.books import Holder
from pointsman_operator.ledger.demand import PotKey


@dataclass(slots=True)
class _Held:
    rest: int
    """Granted, and neither spent nor given back, as of the holder's last sync."""
    free: int
    """The part of it that no call had reserved."""
    seen_ms: int
    called_ms: int | None = None
    silent: bool = False
    """It did not answer a call; what it holds is out of reach until it syncs."""


@dataclass(slots=True)
class _Asker:
    since_ms: int
    last_ms: int


@dataclass(slots=True)
class _Pot:
    held: dict[Holder, _Held] = field(default_factory=dict)
    askers: dict[Holder, _Asker] = field(default_factory=dict)


class Recalls:
    """Idle money by account and window, the least recently touched pot dropped first."""

    def __init__(self) -> None:
        self._pots: OrderedDict[PotKey, _Pot] = OrderedDict()
        self._called: set[str] = set()

    def seen(self, key: PotKey, holder: Holder, *, rest: int, free: int, now_ms: int) -> None:
        """A holder has said what it holds; `free`: what of it nobody uses."""
        pot = self._of(key)
        known = pot.held.pop(holder, None)
        if rest <= 0 or (known is None and len(pot.held) >= limits.RECALL_HOLDERS_MAX):
            return
        called_ms = known.called_ms if known else None
        pot.held[holder] = _Held(rest, min(free, rest), now_ms, called_ms)

    def met(self, key: PotKey, holder: Holder) -> None:
        """A holder got what it needed."""
        if pot := self._pots.get(key):
            pot.askers.pop(holder, None)

    def waits(self, key: PotKey, holder: Holder, now_ms: int) -> int:
        """A need was not met: in how many milliseconds to ask again; 0 where that is in vain."""
        pot = self._of(key)
        asker = self._asker(pot, holder, now_ms)
        if asker is None:
            return 0
        late = now_ms - asker.since_ms >= limits.RECALL_WITHIN_MS
        idle = {
            other: held
            for other, held in pot.held.items()
            if other != holder and not held.silent and _idle(held, asker.since_ms)
        }
        if late:
            for held in idle.values():
                held.silent = held.seen_ms < asker.since_ms
        if late or not idle:
            del pot.askers[holder]
            return 0
        for other, held in idle.items():
            if held.called_ms is None or now_ms - held.called_ms >= limits.RECALL_EVERY_MS:
                held.called_ms = now_ms
                self._called.add(other.sidecar)
        return max(limits.RECALL_AGAIN_MS, len(pot.askers) * limits.RECALL_TURN_MS)

    def must_yield(self, key: PotKey, holder: Holder, now_ms: int) -> bool:
        """Whether somebody else has waited longer for what this holder has free."""
        pot = self._pots.get(key)
        if pot is None:
            return False
        own = pot.askers.get(holder)
        mine = _place(holder, own) if own else None
        return any(
            other != holder
            and not _gone(asker, now_ms)
            and (not mine or _place(other, asker) < mine)
            for other, asker in pot.askers.items()
        )

    def asks(self, key: PotKey, holder: Holder) -> bool:
        """Whether this holder waits itself."""
        pot = self._pots.get(key)
        return pot is not None and holder in pot.askers

    def called(self) -> set[str]:
        """The sidecars that are to sync now; each is named once a call."""
        called, self._called = self._called, set()
        return called

    def _asker(self, pot: _Pot, holder: Holder, now_ms: int) -> _Asker | None:
        """The holder's wait, begun now where it is new; nothing where too many wait already."""
        known = pot.askers.get(holder)
        if known and not _gone(known, now_ms):
            known.last_ms = now_ms
            return known
        pot.askers = {who: it for who, it in pot.askers.items() if not _gone(it, now_ms)}
        if len(pot.askers) >= limits.RECALL_ASKERS_MAX:
            return None
        return pot.askers.setdefault(holder, _Asker(now_ms, now_ms))

    def _of(self, key: PotKey) -> _Pot:
        pot = self._pots.setdefault(key, _Pot())
        self._pots.move_to_end(key)
        if len(self._pots) > limits.POTS_REMEMBERED:
            self._pots.popitem(last=False)
        return pot


def _idle(held: _Held, since_ms: int) -> bool:
    """Whether it may have something to give back: what it said before the wait is too old."""
    return (held.free if held.seen_ms >= since_ms else held.rest) > 0


def _gone(asker: _Asker, now_ms: int) -> bool:
    """Whether its callers have given up: it would have asked again."""
    return now_ms - asker.last_ms > limits.RECALL_FORGOTTEN_MS


def _place(holder: Holder, asker: _Asker) -> tuple[int, str, str]:
    return asker.since_ms, holder.sidecar, holder.boot
