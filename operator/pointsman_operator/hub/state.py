"""Everything that one hub holds, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pointsman_operator.hub import limits
from pointsman_operator.hub.decisions import Decisions
from pointsman_operator.hub.feed import Feed
from pointsman_operator.hub.fleet import Fleet
from pointsman_operator.hub.metrics import HubMetrics
from pointsman_operator.hub.tables import Tables
from pointsman_operator.hub.tunings import Tunings
from pointsman_operator.ledger.clock import Clock
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.errors import LedgerError
from pointsman_operator.ledger.ledger import Ledger

LOGGER = logging.getLogger(__name__)
DATABASE = "hub.db"


@dataclass(frozen=True, slots=True)
class HubState:
    """What the routes work with."""

    database: Database
    ledger: Ledger
    tables: Tables
    tunings: Tunings
    feed: Feed
    fleet: Fleet
    decisions: Decisions
    metrics: HubMetrics

    def declare_accounts(self) -> None:
        """Tell the ledger what the tables say now."""
        self.ledger.accounts = self.tables.accounts()


@asynccontextmanager
async def opened(folder: Path, clock: Clock, *, restored: bool) -> AsyncIterator[HubState]:
    """The hub's state in a folder, with its periodic work; `restored`: the operator says so."""
    database = await Database.open(folder / DATABASE, clock)
    try:
        ledger = Ledger(database)
        if restored or database.restored:
            why = "the operator said so" if restored else "the database is older than its lock file"
            number = await ledger.begin_incarnation(why)
            LOGGER.warning("restored (%s): leases are void, incarnation %d begins", why, number)
        state = await _assembled(database, ledger)
        sweeping = asyncio.create_task(_sweep(ledger))
        try:
            yield state
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            await state.decisions.close()
            await ledger.close()
    finally:
        await database.close()


async def _assembled(database: Database, ledger: Ledger) -> HubState:
    tables, tunings = Tables(database), Tunings(database)
    await tables.load()
    await tunings.load()
    feed = Feed(tables, tunings)
    state = HubState(
        database=database,
        ledger=ledger,
        tables=tables,
        tunings=tunings,
        feed=feed,
        fleet=Fleet(database.clock),
        decisions=Decisions(database, feed),
        metrics=HubMetrics(),
    )
    state.declare_accounts()
    return state


async def _sweep(ledger: Ledger) -> None:
    """Periodic work; what a full disk prevents now is done later."""
    while True:
        await asyncio.sleep(limits.SWEEP_EVERY_S)
        try:
            lost = await ledger.sweep()
        except LedgerError as error:
            LOGGER.warning("the sweep has to wait: %s", error)
        else:
            if lost:
                LOGGER.warning("%d leases fell silent; their rest counts as spent", lost)
