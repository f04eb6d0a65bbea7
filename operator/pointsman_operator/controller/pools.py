"""Where pools' own models are found, to the hub: compared before it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.compile.endpoints import pool_endpoints
from pointsman_operator.controller.world import World
from pointsman_operator.kube.hub import Hub
from pointsman_operator.kube.lease import Fence, Leadership


class PoolPublisher:
    """Knows what the hub holds of pools, and brings it to what the world says."""

    def __init__(self, world: World, hub: Hub, leadership: Leadership, fence: Fence) -> None:
        self._world = world
        self._hub = hub
        self._leadership = leadership
        self._fence = fence
        self._at_hub: dict[ObjectName, str] = {}

    def compare(self, rows: Mapping[ObjectName, Mapping[str, Any]]) -> None:
        """Take what the hub says that it holds; a foreign installation's is put again."""
        own = self._fence.installation
        self._at_hub = {
            name: str(row["digest"]) if row["fence"]["installation"] == own else ""
            for name, row in rows.items()
        }

    def known(self) -> frozenset[ObjectName]:
        """The pools that the hub holds or should look at."""
        return frozenset(self._at_hub.keys() | self._world.snapshot.pools.keys())

    async def to_hub(self, name: ObjectName) -> bool:
        """Hand over one pool's document, or withdraw it; whether anything was sent.

        Raises `HubUnreachableError`, `HubRefusedError`, `FencedError`, `NotLeadingError`.
        """
        pool = self._world.snapshot.pools.get(name)
        if (
            pool is None
            and ObjectRef(ModelPool.KIND, name.namespace, name.name) in self._world.held
        ):
            # Our models refuse what it says now: what was good last stays in force.
            return False
        wanted = pool_endpoints(pool) if pool is not None else None
        if wanted is None:
            return await self._withdraw(name)
        content = wanted.canonical()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if self._at_hub.get(name) == digest:
            return False
        self._leadership.check()
        self._at_hub[name] = await self._hub.put_pool(name, content, self._fence)
        return True

    async def _withdraw(self, name: ObjectName) -> bool:
        if name not in self._at_hub:
            return False
        self._leadership.check()
        await self._hub.delete_pool(name, self._fence)
        del self._at_hub[name]
        return True
