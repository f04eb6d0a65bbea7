"""All self-hosted models that served tables name: watched, looked at, told on change.

Each endpoint is scraped once, however many sidecars and policies use it. State lives in memory
only: after a restart it comes again from the API server and from the engines.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from pointsman_operator.compile.endpoints import Find, OwnModel
from pointsman_operator.hub.engines import limits
from pointsman_operator.hub.engines.model import ModelWatch, Watching
from pointsman_operator.hub.engines.pools import PoolName, Pools
from pointsman_operator.hub.engines.routers import Seen
from pointsman_operator.hub.engines.scraping import Scraper
from pointsman_operator.hub.tables import PolicyName, Tables
from pointsman_operator.kube.endpoints import Place

_log = logging.getLogger(__name__)

Router = tuple[str, str]
"""A pod's UID, and which start of its router."""
Key = tuple[PoolName, str]
"""A pool, and the model's name in tables."""


class Listeners(Protocol):
    """Who is told."""

    def changed(self, namespace: str) -> None:
        """A policy of that namespace has news for its sidecars."""
        ...


class Models:
    """Begins with `run`; until a watching is given nothing is known."""

    def __init__(self, tables: Tables, pools: Pools, streams: Listeners) -> None:
        self.revision = 0
        self._tables = tables
        self._pools = pools
        self._streams = streams
        self._watches: dict[Key, ModelWatch] = {}
        self._users: dict[Key, set[PolicyName]] = {}
        self._news: dict[PolicyName, tuple[int, bytes]] = {}
        self._since_s: dict[PolicyName, float] = {}
        self._stale = True

    def __iter__(self) -> Iterator[tuple[Key, ModelWatch]]:
        """All that are watched."""
        return iter(self._watches.items())

    def changed(self) -> None:
        """A table or a pool has changed: other models may be wanted."""
        self._stale = True

    def news(self, policy: PolicyName) -> tuple[int, bytes] | None:
        """Revision and line of the `fleet` event for a policy's sidecars."""
        return self._news.get(policy)

    def take(
        self, policy: PolicyName, router: Router, said: Mapping[str, Mapping[str, Seen]]
    ) -> None:
        """What a router saw of endpoints; only of models that its own table names."""
        own = dict(self._tables.found_models(policy))
        now_s = asyncio.get_running_loop().time()
        for name, endpoints in said.items():
            watch = self._watches.get((own[name], name)) if name in own else None
            for url, seen in endpoints.items():
                endpoint = watch.endpoints.get(url) if watch else None
                if endpoint is not None:
                    endpoint.routers.take(*router, seen, now_s)

    def told(self) -> list[dict[str, Any]]:
        """All that the controller is told, in order."""
        rows = []
        for ((namespace, pool), model), watch in sorted(self._watches.items()):
            told = watch.told()
            if told is not None:
                rows.append({"namespace": namespace, "pool": pool, "model": model} | asdict(told))
        return rows

    async def run(self, watching: Watching, changed: Callable[[], None]) -> None:
        """Follow and tell for ever; `changed` hears of what concerns the controller."""
        scraper = Scraper()
        told: list[dict[str, Any]] = []
        try:
            while True:
                stirred = await self._follow(watching, scraper) if self._stale else set()
                self._tell(stirred)
                before, told = told, self.told()
                if told != before:
                    changed()
                await asyncio.sleep(limits.TELL_EVERY_S)
        finally:
            await asyncio.gather(*(watch.close() for watch in self._watches.values()))
            self._watches.clear()
            await scraper.close()

    async def _follow(self, watching: Watching, scraper: Scraper) -> set[PolicyName]:
        """Watch what is wanted and nothing else; the policies that must be told anew."""
        self._stale = False
        before = self._users
        self._users = {}
        for policy in self._tables.policies():
            for name, pool in self._tables.found_models(policy):
                self._users.setdefault((pool, name), set()).add(policy)
        wanted = {key: own for key in self._users if (own := self._pools.model(*key))}
        for key in list(self._watches):
            own = wanted.get(key)
            if own is None or own != self._watches[key].own:
                await self._watches.pop(key).close()
        for key, own in wanted.items():
            place = _place(key[0], own)
            if key in self._watches or place is None:
                continue
            if len(self._watches) >= limits.PLACES_MAX:
                _log.warning("%s is not watched: there are %d", key, limits.PLACES_MAX)
                continue
            self._watches[key] = ModelWatch(own, place, watching, scraper)
        using = set().union(*self._users.values()) if self._users else set()
        for policy in self._news.keys() - using:
            del self._news[policy]
        for policy in self._since_s.keys() - using:
            del self._since_s[policy]
        return {
            policy
            for key in self._users.keys() | before.keys()
            for policy in self._users.get(key, set()) ^ before.get(key, set())
        } & using

    def _tell(self, policies: set[PolicyName]) -> None:
        now_s = asyncio.get_running_loop().time()
        for policy in policies:
            self._since_s[policy] = now_s
        waiting = self._since_s.keys() - self._news.keys()
        touched = policies | waiting
        for key, watch in self._watches.items():
            if watch.look(now_s):
                touched |= self._users.get(key, set())
        for policy in touched:
            self._tell_one(policy, now_s)

    def _tell_one(self, policy: PolicyName, now_s: float) -> None:
        loads = {}
        for name, pool in self._tables.found_models(policy):
            watch = self._watches.get((pool, name))
            if watch is not None and watch.load is not None:
                loads[name] = watch.load.document()
            elif now_s - self._since_s.get(policy, now_s) < limits.KNOWN_WITHIN_S:
                # Full state or none: what is not known yet must not look as if it were gone.
                return
        known = self._news.get(policy)
        text = json.dumps(loads, sort_keys=True, separators=(",", ":"))
        if known is not None and known[1].endswith(_tail(text)):
            return
        self.revision += 1
        line = f'{{"event":"fleet","rev":{self.revision}'.encode() + _tail(text)
        self._news[policy] = (self.revision, line)
        self._streams.changed(policy[0])


def _tail(models: str) -> bytes:
    return f',"models":{models}}}\n'.encode()


def _place(pool: PoolName, own: OwnModel) -> Place | None:
    find: Find | None = own.find
    if find is None:
        return None
    labels = tuple(sorted((find.labels or {}).items()))
    return Place(pool[0], find.service or "", labels, find.port)
