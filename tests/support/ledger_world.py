"""A ledger on a file with a hand-moved clock, and messages to it, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pointsman_operator.ledger.accounts import Account, Threshold
from pointsman_operator.ledger.database import Database, Store
from pointsman_operator.ledger.ledger import Ledger
from pointsman_operator.ledger.messages import SyncAnswer, SyncRequest
from pointsman_operator.ledger.postgresql import PostgresqlStore
from pointsman_operator.ledger.sqlite import SqliteStore
from pointsman_operator.ledger.windows import Calendar, WindowSpec

NOON_MS = 1_795_341_600_000
"""2026-11-22T10:00:00Z, a Sunday."""
DAY = "demo/team/day"
TODAY = "2026-11-22+01:00"

T = TypeVar("T")


@dataclass
class HandClock:
    """A clock that a test moves."""

    time_ms: int = NOON_MS

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return self.time_ms


def day_account(limit: int = 1000, thresholds: Iterable[Threshold] = ()) -> Account:
    """`demo/team/day`, a day in Berlin."""
    return Account(DAY, limit, WindowSpec(Calendar.DAY, "Europe/Berlin"), tuple(thresholds))


def want(need: int, prefer: int | None = None, **more: Any) -> dict[str, Any]:
    """A want on `demo/team/day`."""
    return {"account": DAY, "need": need, "prefer": need if prefer is None else prefer, **more}


def report(lease_id: str, **numbers: Any) -> dict[str, Any]:
    """A report on a lease of `demo/team/day`."""
    return {"id": lease_id, "account": DAY, **numbers}


def sync_request(sidecar: str = "a", boot: str = "1", **more: Any) -> SyncRequest:
    """A sync of one holder."""
    return SyncRequest.model_validate({"sidecar": sidecar, "boot": boot, "seq": 1, **more})


def sqlite_at(path: Path) -> Callable[[], Store]:
    """A file, opened as often as the ledger is."""
    return lambda: SqliteStore(path)


def postgresql_at(url: str) -> Callable[[], Store]:
    """A schema of a server, opened as often as the ledger is."""
    return lambda: PostgresqlStore(lambda: url)


@dataclass
class LedgerWorld:
    """One ledger that may be closed and opened again, on an event loop of its own."""

    store: Callable[[], Store]
    accounts: dict[str, Account] = field(default_factory=lambda: {DAY: day_account()})
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.run(self.open())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Drive a coroutine to its end."""
        return self._loop.run_until_complete(coroutine)

    def sync(self, sidecar: str = "a", boot: str = "1", **more: Any) -> SyncAnswer:
        """One sync, answered."""
        return self.run(self.ledger.sync(sync_request(sidecar, boot, **more)))

    @property
    def incarnation(self) -> int:
        """That the ledger is in."""
        return self.ledger.database.incarnation

    def restart(self) -> None:
        """The hub goes down and comes up again."""
        self.run(self.shut())
        self.run(self.open())

    def close(self) -> None:
        """The end of the test."""
        self.run(self.shut())
        self._loop.close()

    async def open(self) -> None:
        """A hub comes up."""
        ledger = Ledger(await Database.open(self.store(), self.clock))
        ledger.accounts = self.accounts
        self.ledger = ledger

    async def shut(self) -> None:
        """A hub goes down in order."""
        await self.ledger.close()
        await self.ledger.database.close()
