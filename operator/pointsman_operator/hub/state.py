"""Everything that one hub holds, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pointsman_operator.hub import limits
from pointsman_operator.hub.decisions import Decisions
from pointsman_operator.hub.engines.models import Models
from pointsman_operator.hub.engines.pools import Pools
from pointsman_operator.hub.feed import Feed
from pointsman_operator.hub.fleet import Fleet
from pointsman_operator.hub.guarded import Guarded
from pointsman_operator.hub.health import Health
from pointsman_operator.hub.metrics import HubMetrics
from pointsman_operator.hub.newborn import Newborn
from pointsman_operator.hub.quota.desk import Desk
from pointsman_operator.hub.quota.strain import Strains
from pointsman_operator.hub.tables import Tables
from pointsman_operator.hub.tickets import Tickets
from pointsman_operator.hub.tunings import Tunings
from pointsman_operator.ledger import limits as ledger_limits
from pointsman_operator.ledger.clock import Clock
from pointsman_operator.ledger.database import Database, Store
from pointsman_operator.ledger.errors import LedgerError, StoreUnavailable
from pointsman_operator.ledger.ledger import Ledger

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HubState:
    """What the routes work with."""

    database: Database
    ledger: Ledger
    tables: Tables
    tunings: Tunings
    guarded: Guarded
    feed: Feed
    fleet: Fleet
    decisions: Decisions
    pools: Pools
    models: Models
    health: Health
    metrics: HubMetrics
    newborn: Newborn
    desk: Desk
    strains: Strains

    def declare_tables(self, namespace: str) -> None:
        """Tell the ledger and whoever watches engines what a namespace's tables say now."""
        self.newborn.heard(namespace)
        self.declare_all()

    def declare_all(self) -> None:
        """Tell them what all tables say, at the start."""
        self.ledger.accounts = self.tables.accounts()
        self.desk.declare(self.tables.limits())
        self.models.changed()


@asynccontextmanager
async def opened(
    store: Callable[[], Store], clock: Clock, waiting: Callable[[str], None], *, restored: bool
) -> AsyncIterator[HubState]:
    """The hub's state in a store, with its periodic work; `restored`: the operator says so.

    `waiting` is told why, each time that a store that may come by itself is not there.
    """
    database = await _there(store, clock, waiting)
    try:
        ledger = Ledger(database)
        if restored or database.restored:
            why = (
                "the operator said so"
                if restored
                else "the database is older than one that was served"
            )
            number = await ledger.begin_incarnation(why)
            LOGGER.warning("restored (%s): leases are void, incarnation %d begins", why, number)
        state = await _assembled(database, ledger)
        work = (
            _sweep(state),
            _tend(state),
            state.health.run(state.fleet.changed),
            state.strains.run(state.fleet.changed),
        )
        duties = [asyncio.create_task(it) for it in work]
        for duty in duties:
            duty.add_done_callback(_tell_failure)
        try:
            yield state
        finally:
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*duties, return_exceptions=True)
            await state.decisions.close()
            await ledger.close()
    finally:
        await database.close()


async def _there(
    store: Callable[[], Store], clock: Clock, waiting: Callable[[str], None]
) -> Database:
    """The database, waited for where waiting helps."""
    told = ""
    while True:
        made = store()
        try:
            return await Database.open(made, clock)
        except StoreUnavailable as error:
            if not made.waits:
                raise
            if str(error) != told:
                told = str(error)
                LOGGER.warning("waiting for the store: %s", told)
            waiting(told)
            await asyncio.sleep(ledger_limits.STORE_AGAIN_S)


async def _assembled(database: Database, ledger: Ledger) -> HubState:
    tables, tunings, tickets = Tables(database), Tunings(database), Tickets(database)
    await tables.load()
    await tunings.load()
    pools = Pools(database, tables)
    await pools.load()
    await tickets.load()
    guarded = Guarded(tickets)
    feed = Feed(tables, tunings, guarded)
    feed.models = models = Models(tables, pools, feed)
    feed.health = health = Health(tables, feed, database.clock)
    desk = Desk(database)
    await desk.load()
    ledger.call = desk.call = feed.call
    state = HubState(
        database=database,
        ledger=ledger,
        tables=tables,
        tunings=tunings,
        guarded=guarded,
        feed=feed,
        fleet=Fleet(database.clock),
        decisions=Decisions(database, feed),
        pools=pools,
        models=models,
        health=health,
        metrics=HubMetrics(),
        newborn=Newborn(database, tables),
        desk=desk,
        strains=Strains(desk, database.clock),
    )
    state.declare_all()
    return state


def _tell_failure(duty: asyncio.Task[None]) -> None:
    """A duty that ended by itself is a defect, and must not be one in silence."""
    if not duty.cancelled() and (error := duty.exception()) is not None:
        LOGGER.error("%s has ended", duty.get_coro(), exc_info=error)


async def _sweep(state: HubState) -> None:
    """Periodic work; what a full disk prevents now is done later."""
    while True:
        await asyncio.sleep(limits.SWEEP_EVERY_S)
        try:
            lost = await state.ledger.sweep()
            await state.desk.sweep()
        except LedgerError as error:
            LOGGER.warning("the sweep has to wait: %s", error)
        else:
            if lost:
                LOGGER.warning("%d leases fell silent; their rest counts as spent", lost)


async def _tend(state: HubState) -> None:
    """Who holds tickets goes to disk soon; keys are replaced in time."""
    while True:
        await asyncio.sleep(limits.TICKETS_TENDED_EVERY_S)
        try:
            if await state.guarded.tickets.tend():
                state.feed.wake_gateways()
        except LedgerError as error:
            LOGGER.warning("tickets have to wait: %s", error)
