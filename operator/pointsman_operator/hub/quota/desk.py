"""Hands out shares of limits and takes them back: all limits, all holders.

What is held lies in memory. After a restart holders say what they have; until all of those that the
database remembers have done so, or what they had has rested, nothing more is handed out.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator

from sqlalchemy import Connection, Delete, delete, insert, select

from pointsman_operator.hub import limits, schema
from pointsman_operator.hub.quota.declared import Declared
from pointsman_operator.hub.quota.messages import (
    HoldGrant,
    HoldReport,
    LimitsAnswer,
    LimitsRequest,
    Unit,
)
from pointsman_operator.hub.quota.pot import Holder, Pot
from pointsman_operator.ledger.database import Database


def monotonic_ms() -> int:
    """A clock that nobody sets."""
    return time.monotonic_ns() // 1_000_000


class Desk:
    """Every limit that some table declares, and who holds shares of it."""

    def __init__(self, database: Database, now_ms: Callable[[], int] = monotonic_ms) -> None:
        self.call: Callable[[Collection[str]], None] = lambda _: None
        """Tells sidecars to come; set by whoever has their streams."""
        self._database = database
        self._now_ms = now_ms
        self._declared: Declared = {}
        self._pots: dict[tuple[str, Unit], Pot] = {}
        self._boots: dict[str, str] = {}
        """The start of each holder that was heard of last."""
        self._over: OrderedDict[Holder, None] = OrderedDict()
        """Starts that have ended: what comes late of them changes nothing."""
        self._remembered: set[Holder] = set()
        self._stale: set[Holder] = set()
        self._unheard: set[Holder] = set()
        self._grants_from_ms = 0

    async def load(self) -> None:
        """Who held something when the hub was last there."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(schema.limit_holders))
            self._remembered = {(row.sidecar, row.boot) for row in rows}
        self._unheard = set(self._remembered)
        self._grants_from_ms = self._now_ms() + limits.SHARE_RESTS_MS

    def declare(self, declared: Declared) -> None:
        """Take what all tables say now; what none says any more is called back."""
        self._declared = declared
        for (limit, unit), pot in self._pots.items():
            pot.total = declared.get(limit, {}).get(unit, 0)

    async def hear(self, request: LimitsRequest, allowed: Collection[str] | None) -> LimitsAnswer:
        """Take what a holder says and tell it its shares; raises `StoreUnavailable`.

        It may have shares of the `allowed` limits alone; None: of all.
        """
        holder, now_ms = (request.sidecar, request.boot), self._now_ms()
        if holder in self._over or request.final:
            return await self._ended(holder, request)
        former = self._boots.get(request.sidecar)
        if former not in {None, request.boot}:
            # One process at a time bears a sidecar's name: that one is dead.
            self._end([(request.sidecar, str(former))])
        self._boots[request.sidecar] = request.boot
        self._unheard.discard(holder)
        heard = [
            self._one(holder, report, now_ms)
            for report in request.holds
            if self._may(holder, report, allowed)
        ]
        self._stale.discard(holder)
        if holder not in self._remembered and any(it.granted for it in heard):
            await self._remember(holder)
        horizon_ms = limits.SHARE_HORIZON_MS
        again_ms = self._again_ms(request)
        return LimitsAnswer(seq=request.seq, horizon_ms=horizon_ms, again_ms=again_ms, holds=heard)

    def left(self, sidecar: str) -> None:
        """Its pod is gone."""
        boot = self._boots.get(sidecar)
        if boot is not None:
            self._end([(sidecar, boot)])

    async def sweep(self) -> None:
        """Give silent holders up; raises `StoreUnavailable`."""
        now_ms = self._now_ms()
        before_ms = now_ms - limits.SHARE_HORIZON_MS - limits.SHARE_MARGIN_MS
        for holder in {it for pot in self._pots.values() for it in pot.silent_since(before_ms)}:
            self._drop(holder)
        if self._unheard and now_ms >= self._grants_from_ms:
            # Dead, and what they had has rested.
            self._stale |= self._unheard
            self._unheard = set()
        await self._clean()
        for key in [key for key, pot in self._pots.items() if not len(pot) and not pot.total]:
            if self._pots[key].free(now_ms) >= 0:
                del self._pots[key]

    def standings(self) -> Iterator[tuple[str, Unit, Pot]]:
        """Every limit that is declared, by name."""
        for limit in sorted(self._declared):
            for unit, total in self._declared[limit].items():
                pot = self._pots.get((limit, unit))
                yield limit, unit, Pot(total) if pot is None else pot

    @property
    def now_ms(self) -> int:
        """The desk's time."""
        return self._now_ms()

    def _may(self, holder: Holder, report: HoldReport, allowed: Collection[str] | None) -> bool:
        pot = self._pots.get((report.limit, report.unit))
        if pot is not None and holder in pot:
            return True  # to give it back, at least
        known = report.unit in self._declared.get(report.limit, {})
        return known and (allowed is None or report.limit in allowed)

    def _one(self, holder: Holder, report: HoldReport, now_ms: int) -> HoldGrant:
        key = (report.limit, report.unit)
        pot = self._pots.get(key)
        if pot is None:
            pot = self._pots[key] = Pot(self._declared[report.limit][report.unit])
        grants = not self._unheard or now_ms >= self._grants_from_ms
        word = pot.hear(holder, report, now_ms, grants=grants)
        lacks = word.granted - report.returned < word.meant
        if lacks and (called := pot.above(now_ms)):
            self.call(called)
        return HoldGrant(
            limit=report.limit,
            unit=report.unit,
            term=report.term,
            granted=word.granted,
            keep=word.keep,
            meant=word.meant,
        )

    def _again_ms(self, request: LimitsRequest) -> int:
        """The more holders, the longer each waits, so that the hub is not asked too often."""
        pots = (self._pots.get((report.limit, report.unit)) for report in request.holds)
        most = max((len(pot) for pot in pots if pot is not None), default=0)
        wait_ms = most * limits.SHARE_AGAIN_EACH_MS
        return min(max(wait_ms, limits.SHARE_AGAIN_MIN_MS), limits.SHARE_AGAIN_MAX_MS)

    async def _ended(self, holder: Holder, request: LimitsRequest) -> LimitsAnswer:
        now_ms = self._now_ms()
        if holder not in self._over:
            for report in request.holds:
                # What it gave back at the end need not rest.
                pot = self._pots.get((report.limit, report.unit))
                if pot is not None and holder in pot:
                    pot.hear(holder, report, now_ms, grants=False)
            self._end([holder])
            await self._clean()
        return LimitsAnswer(
            seq=request.seq,
            horizon_ms=0,
            again_ms=limits.SHARE_AGAIN_MAX_MS,
            holds=[],
        )

    async def _remember(self, holder: Holder) -> None:
        row = {"sidecar": holder[0], "boot": holder[1]}

        def work(connection: Connection) -> None:
            connection.execute(_of(holder))
            connection.execute(insert(schema.limit_holders), [row])

        await self._database.write(work)
        self._remembered.add(holder)

    def _end(self, holders: Collection[Holder]) -> None:
        """These starts are over for good."""
        for holder in holders:
            self._drop(holder)
            self._over[holder] = None
        while len(self._over) > limits.HOLDERS_OVER_MAX:
            self._over.popitem(last=False)

    def _drop(self, holder: Holder) -> None:
        """What it held rests; it may come again."""
        now_ms = self._now_ms()
        for pot in self._pots.values():
            pot.end(holder, now_ms)
        if self._boots.get(holder[0]) == holder[1]:
            del self._boots[holder[0]]
        self._stale.add(holder)

    async def _clean(self) -> None:
        """Remember those no more that hold nothing."""
        stale = self._stale & self._remembered
        self._stale.clear()
        if not stale:
            return

        def work(connection: Connection) -> None:
            for holder in stale:
                connection.execute(_of(holder))

        self._remembered -= stale
        await self._database.write(work)


def _of(holder: Holder) -> Delete:
    table = schema.limit_holders
    return delete(table).where(table.c.sidecar == holder[0], table.c.boot == holder[1])
