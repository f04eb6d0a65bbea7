"""Self-hosted models in a hub's state, with places whose endpoints the test sets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman_operator.compile.endpoints import pool_endpoints
from pointsman_operator.hub.engines.models import Models
from pointsman_operator.hub.engines.pools import Pools
from pointsman_operator.hub.metrics import HubMetrics
from pointsman_operator.hub.tables import Fence, Tables
from pointsman_operator.kube.endpoints import Found, Place
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.sqlite import SqliteStore
from support import resources as make
from support.engines import engines
from support.hub_process import route_table
from support.ledger_world import HandClock

POLICY, POOL = ("demo", "support"), ("demo", "main")
SERVICE = {"service": {"name": "vllm", "port": 8000}}
FENCE = Fence("i", 2, "b")
WITHIN_S = 20.0


@dataclass
class Spot:
    """A place as the API server tells of it."""

    place: Place
    changed: Callable[[], None]
    found: tuple[Found, ...] = ()
    missing: str = ""
    known: bool = False

    async def run(self) -> None:
        """Nothing comes by itself."""
        await asyncio.Event().wait()

    def tell(self, *urls: str, ready: bool = True) -> None:
        """These are the endpoints from now on."""
        self.found, self.known = tuple(Found(url, ready) for url in urls), True
        self.changed()


@dataclass
class ModelsWorld:
    """Models over a real database."""

    tables: Tables
    pools: Pools
    spots: list[Spot] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)
    controller: int = 0

    def __post_init__(self) -> None:
        self.models = Models(self.tables, self.pools, self)

    def changed(self, namespace: str) -> None:
        """The feed's side."""
        self.woken.append(namespace)

    def watching(self, place: Place, changed: Callable[[], None]) -> Spot:
        """Remember the spot."""
        self.spots.append(Spot(place, changed))
        return self.spots[-1]

    def heard(self) -> None:
        """The controller's side."""
        self.controller += 1

    def told(self) -> dict[str, Any]:
        """What the policy's sidecars were told last."""
        found = self.models.news(POLICY)
        event: dict[str, Any] = json.loads(found[1]) if found else {}
        return dict(event.get("models", {}))

    async def put(self, endpoints: dict[str, Any], **server: Any) -> None:
        """A table with one model, and its pool."""
        pool = make.parsed(make.pool(make.own("local", endpoints, engine="vLLM", **server)))
        document = pool_endpoints(pool)  # type: ignore[arg-type]  # parsed as a ModelPool
        assert document is not None
        await self.pools.put(POOL, document.canonical(), FENCE)
        pool_name = {"namespace": "demo", "name": "main"}
        model = {"name": "main/local", "pool": pool_name, "provider": {"endpoints": "Service"}}
        await self.tables.put(POLICY, route_table(models=[model]), FENCE)
        self.models.changed()


@asynccontextmanager
async def models_world(folder: Path) -> AsyncIterator[ModelsWorld]:
    """Running, with nothing put."""
    database = await Database.open(SqliteStore(folder / "x.db"), HandClock())
    tables = Tables(database)
    made = ModelsWorld(tables, Pools(database, tables))
    running = asyncio.create_task(made.models.run(made.watching, made.heard))
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await database.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - the state of others
            await asyncio.sleep(0.02)


async def model_figures(folder: Path) -> str:
    """The hub's metrics while one self-hosted model is called and another engine sleeps."""
    metrics = HubMetrics()
    async with models_world(folder) as world:
        with engines(2) as (first, second):
            second.sleeps(asleep=True)
            await world.put(SERVICE)
            await until(lambda: len(world.spots) == 1)
            world.spots[0].tell(first.url, second.url)
            await until(lambda: bool(world.told()))
            await until(lambda: world.models.told()[0]["asleep"] == 1)
            metrics.models.show(world.models, world.pools)
    page = metrics.page([], streams=0, failing=False, unknown_leases=0)
    return page.decode()
