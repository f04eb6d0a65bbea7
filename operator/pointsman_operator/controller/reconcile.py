"""The controller on one screen: what is touched -> table -> hub -> ConfigMap -> status.

Level-triggered: a piece of work names an object, never what happened to it; what is to be done
follows from the world as it is when the work's turn comes. Failures come back after a pause.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.controller import limits
from pointsman_operator.controller.metrics import Metrics
from pointsman_operator.controller.publishing import Publisher
from pointsman_operator.controller.queueing import Queue
from pointsman_operator.controller.telling import Teller
from pointsman_operator.controller.world import World
from pointsman_operator.kube.api import ApiError
from pointsman_operator.kube.hub import HubRefusedError, HubUnreachableError
from pointsman_operator.kube.lease import NotLeadingError

_log = logging.getLogger(__name__)

EXPECTED = (ApiError, HubUnreachableError, HubRefusedError, NotLeadingError)
"""Failures of the world around us: they pass."""
NAMESPACE = "Namespace"


@dataclass(frozen=True)
class Work:
    """One thing to bring to what the world says."""

    step: Literal["table", "pool", "config", "status"]
    ref: ObjectRef


class Reconciler:
    """Turns what is touched into work, and does it."""

    def __init__(
        self, world: World, publisher: Publisher, teller: Teller, metrics: Metrics
    ) -> None:
        self.queue: Queue[Work] = Queue()
        self.knows_enough = False
        """Whether pods, namespaces and fleet were seen once: no status is told before."""
        self._world = world
        self._publisher = publisher
        self._teller = teller
        self._metrics = metrics

    def touched(self, refs: Iterable[ObjectRef]) -> None:
        """Something happened that can concern the tables and statuses of these."""
        for ref in refs:
            if ref.kind == RoutingPolicy.KIND:
                self.queue.add(Work("table", ref), limits.SETTLE_S)
            elif ref.kind == ModelPool.KIND:
                self.queue.add(Work("pool", ref), limits.SETTLE_S)
            self.queue.add(Work("status", ref), limits.STATUS_SETTLE_S)

    def seen(self, refs: Iterable[ObjectRef]) -> None:
        """Something happened that can concern only the statuses of these."""
        for ref in refs:
            self.queue.add(Work("status", ref), limits.STATUS_SETTLE_S)

    def config_map(self, namespace: str) -> None:
        """The namespace's ConfigMap may not be what it should be."""
        self.queue.add(Work("config", ObjectRef(NAMESPACE, "", namespace)), limits.SETTLE_S)

    def all(self) -> None:
        """Look at everything again."""
        self.touched(self._world.held)
        for namespace in {ref.namespace for ref in self._world.held if ref.kind == "RoutingPolicy"}:
            self.config_map(namespace)

    async def run(self) -> None:
        """One worker, for ever."""
        await self.queue.work(self._handle, EXPECTED)

    async def _handle(self, work: Work) -> None:
        with self._metrics.reconciling(work.step, EXPECTED):
            if work.step == "table":
                await self._table(work.ref)
            elif work.step == "pool":
                await self._publisher.pools.to_hub(ObjectName(work.ref.namespace, work.ref.name))
            elif work.step == "config":
                await self._config_map(work.ref.name)
            elif self.knows_enough:
                again_s = await self._teller.tell(work.ref)
                if again_s is not None:
                    self.queue.add(work, again_s)

    async def _table(self, ref: ObjectRef) -> None:
        try:
            with self._metrics.publishing():
                await self._publisher.to_hub(ObjectName(ref.namespace, ref.name))
        finally:
            # The fallback matters most while the hub is away.
            self.config_map(ref.namespace)
            self.seen({ref})

    async def _config_map(self, namespace: str) -> None:
        before = dict(self._publisher.trouble)
        try:
            await self._publisher.to_config_map(namespace)
        finally:
            # What was found out before a failed write will not be news at the next try.
            after = self._publisher.trouble
            changed = {it for it in before.keys() | after if before.get(it) != after.get(it)}
            self.seen({ObjectRef(RoutingPolicy.KIND, it.namespace, it.name) for it in changed})
