"""One limit of one kind: who holds how much of it. Pure arithmetic over a clock that is given.

    held by all + resting + free = total, as long as the limit is not lowered

A holder gives back only what it has not used within the last minute, and what a lost one held rests
for that long. So no unit is used twice within a minute, whoever holds it when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest

from pointsman_operator.hub import limits
from pointsman_operator.hub.quota.division import Division, Wish, divided
from pointsman_operator.hub.quota.messages import HoldReport

Holder = tuple[str, str]
"""A sidecar and its start."""


@dataclass(slots=True)
class Holding:
    """What the hub knows of one holder's share; what that holds is never more."""

    term: int
    granted: int
    returned: int
    want: int
    need: int
    heard_ms: int
    lacking_since_ms: int | None = None
    used: int = 0
    waiting: int = 0
    waited: int = 0
    refused: int = 0

    @property
    def held(self) -> int:
        """Units that are not the hub's now."""
        return self.granted - self.returned

    def used_at(self, now_ms: int) -> int:
        """What of it rests or is in use: nothing that it said longer ago than that lasts."""
        return self.used if now_ms - self.heard_ms < limits.SHARE_RESTS_MS else 0

    def counts(self, report: HoldReport) -> tuple[int, int]:
        """Take what it says of calls; how many more have waited, and were refused, than it said."""
        more = max(0, report.waited - self.waited), max(0, report.refused - self.refused)
        self.used, self.waiting = report.used, report.waiting
        self.waited += more[0]
        self.refused += more[1]
        return more


@dataclass(frozen=True, slots=True)
class Word:
    """What a holder is told."""

    granted: int
    keep: int
    meant: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How a limit stands, for people: held + resting + free = total."""

    total: int
    held: int
    resting: int
    free: int
    used: int
    """Of what is held, within the last minute; of `inFlight` now. As holders said last."""
    wanted: int
    holders: int
    lacking: int
    """Of them, those that can serve no call with what they hold."""
    waiting: int
    """Calls that wait for it now."""
    waited: int
    """Calls that had to, since the hub heard of it first."""
    refused: int


class Pot:
    """The units of one limit."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.held = 0
        self.resting = 0
        self.waited = 0
        self.refused = 0
        self._holdings: dict[Holder, Holding] = {}
        self._rests: deque[tuple[int, int]] = deque()
        """Until when, and how many; one entry a second."""
        self._division: Division[Holder] = Division(None, 0)
        self._divided_ms: int | None = None
        self._called_ms = 0

    def __len__(self) -> int:
        """How many hold or want some of it."""
        return len(self._holdings)

    def __contains__(self, holder: object) -> bool:
        """Whether that holder does."""
        return holder in self._holdings

    def __iter__(self) -> Iterator[Holder]:
        """Who does."""
        return iter(self._holdings)

    def figures(self, now_ms: int) -> Figures:
        """How it stands."""
        used = wanted = lacking = waiting = 0
        for holding in self._holdings.values():
            wanted += holding.want
            lacking += holding.lacking_since_ms is not None
            used += holding.used_at(now_ms)
            waiting += holding.waiting
        return Figures(
            total=self.total,
            held=self.held,
            resting=self.resting,
            free=self.free(now_ms),
            used=used,
            wanted=wanted,
            holders=len(self._holdings),
            lacking=lacking,
            waiting=waiting,
            waited=self.waited,
            refused=self.refused,
        )

    def largest(self, most: int) -> list[tuple[Holder, Holding]]:
        """Those that wait or hold most, in that order."""
        return nlargest(
            most, self._holdings.items(), key=lambda it: (it[1].waiting, it[1].held, it[0])
        )

    def free(self, now_ms: int) -> int:
        """What can be handed out; below 0 where the limit was lowered."""
        while self._rests and self._rests[0][0] <= now_ms:
            self.resting -= self._rests.popleft()[1]
        return self.total - self.held - self.resting

    def hear(self, holder: Holder, report: HoldReport, now_ms: int, *, grants: bool) -> Word:
        """Take what a holder says; with `grants`, hand out what it is meant to have."""
        holding = self._known(holder, report, now_ms)
        if report.term < holding.term:
            # It was sent before one that is here already.
            return Word(report.granted, report.granted, 0)
        holding.need = min(report.need, self.total)
        holding.want = max(min(report.want, self.total), holding.need)
        holding.heard_ms = now_ms
        waited, refused = holding.counts(report)
        self.waited += waited
        self.refused += refused
        self._note_lacking(holding, now_ms)
        division = self._divide(now_ms)
        meant = division.meant(holder, holding.want)
        if grants and meant > holding.held:
            before = self._promised_before(holder)
            more = max(0, min(meant - holding.held, self.free(now_ms) - before))
            holding.granted += more
            self.held += more
            self._note_lacking(holding, now_ms)
        low = division.level is not None or self.free(now_ms) * limits.LOW_DIVISOR < self.total
        keep = meant if low else max(meant, holding.held)
        return Word(holding.granted, keep, meant)

    def end(self, holder: Holder, now_ms: int) -> None:
        """The holder is no more: what it held may have been used a moment ago."""
        holding = self._holdings.pop(holder, None)
        if holding is not None:
            self._rest(holding.held, now_ms)
            self.held -= holding.held
            self._divided_ms = None

    def silent_since(self, before_ms: int) -> list[Holder]:
        """Who was not heard of since then."""
        return [key for key, it in self._holdings.items() if it.heard_ms < before_ms]

    def above(self, now_ms: int) -> list[str]:
        """Sidecars that hold more than is meant for them, and may not know; others lack it."""
        division = self._divide(now_ms)
        if now_ms - self._called_ms < limits.SHARE_CALL_EVERY_MS:
            return []
        self._called_ms = now_ms
        return [
            holder[0]
            for holder, holding in self._holdings.items()
            if now_ms - holding.heard_ms >= limits.SHARE_CALL_EVERY_MS
            and holding.held > division.meant(holder, holding.want)
        ]

    def _known(self, holder: Holder, report: HoldReport, now_ms: int) -> Holding:
        holding = self._holdings.get(holder)
        # What it counted before the hub heard of it is not counted: a restart would do so twice.
        counted = (report.waited, report.refused)
        if holding is not None and report.term > holding.term:
            counted = (holding.waited, holding.refused)
            self.end(holder, now_ms)
            holding = None
        if holding is None:
            # Of an earlier start of the hub, perhaps: it does hold that.
            holding = Holding(report.term, report.granted, report.returned, 0, 0, now_ms)
            holding.waited, holding.refused = counted
            self._holdings[holder] = holding
            self.held += holding.held
            self._divided_ms = None
        elif report.term == holding.term:
            granted = max(holding.granted, report.granted)
            returned = max(holding.returned, report.returned)
            self.held += (granted - returned) - holding.held
            holding.granted, holding.returned = granted, returned
        return holding

    def _note_lacking(self, holding: Holding, now_ms: int) -> None:
        if holding.need == 0 or holding.held >= holding.need:
            holding.lacking_since_ms = None
        elif holding.lacking_since_ms is None:
            holding.lacking_since_ms = now_ms

    def _divide(self, now_ms: int) -> Division[Holder]:
        """Each time where few want some of it, else from time to time."""
        few = len(self._holdings) <= limits.DIVIDED_EACH_TIME
        old = self._divided_ms is None or now_ms - self._divided_ms >= limits.DIVIDED_EVERY_MS
        if few or old:
            wishes = {
                holder: Wish(it.want, it.need, it.lacking_since_ms)
                for holder, it in self._holdings.items()
            }
            self._division, self._divided_ms = divided(self.total, wishes), now_ms
        return self._division

    def _promised_before(self, holder: Holder) -> int:
        """What those before it in the line still lack."""
        promised = 0
        for first, need in self._division.line.items():
            if first == holder:
                break
            known = self._holdings.get(first)
            promised += max(0, need - known.held) if known is not None else 0
        return promised

    def _rest(self, units: int, now_ms: int) -> None:
        if units <= 0:
            return
        # Whole seconds, rounded up, so that there are never more entries than seconds.
        until_ms = -(-(now_ms + limits.SHARE_RESTS_MS) // 1_000) * 1_000
        self.resting += units
        if self._rests and self._rests[-1][0] == until_ms:
            units += self._rests.pop()[1]
        self._rests.append((until_ms, units))
