"""The controller on one screen: what is touched -> table -> hub -> ConfigMap -> status.

Level-triggered: a piece of work names an object, never what happened to it; what is to be done
follows from the world as it is when the work's turn comes. Failures come back after a pause.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from enum import IntEnum
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
from pointsman_operator.kube.pacing import pressing

_log = logging.getLogger(__name__)

EXPECTED = (ApiError, HubUnreachableError, HubRefusedError, NotLeadingError)
"""Failures of the world around us: they pass."""
NAMESPACE = "Namespace"


@dataclass(frozen=True)
class Work:
    """One thing to bring to what the world says."""

    step: Literal["table", "pool", "config", "status"]
    ref: ObjectRef


class Lane(IntEnum):
    """What goes first: users' edits before the rest, tables before statuses."""

    EDITS = 0
    """The table of what was edited."""
    DEPENDENTS = 1
    """Tables that an edit of something else concerns: a pool may have a thousand."""
    TABLES = 2
    """Tables of a look at everything: a new leader's, a hub's that came back, the regular one."""
    STATUSES = 3
    """Statuses of what has changed."""
    ALL_STATUSES = 4
    """Statuses of a look at everything."""


class Reconciler:
    """Turns what is touched into work, and does it."""

    def __init__(
        self, world: World, publisher: Publisher, teller: Teller, metrics: Metrics
    ) -> None:
        self.queue: Queue[Work] = Queue(len(Lane))
        self.knows_enough = False
        """Whether pods, namespaces and fleet were seen once: no status is told before."""
        self._world = world
        self._publisher = publisher
        self._teller = teller
        self._metrics = metrics

    def edited(self, ref: ObjectRef, refs: Iterable[ObjectRef]) -> None:
        """Somebody has edited `ref`, which can concern `refs`: that goes before all else."""
        found = set(refs)
        self._touch(found & {ref}, Lane.EDITS, Lane.STATUSES)
        self._touch(found - {ref}, Lane.DEPENDENTS, Lane.STATUSES)

    def touched(self, refs: Collection[ObjectRef]) -> None:
        """Tables and statuses of these may not be what they should be."""
        self._touch(refs, Lane.TABLES, Lane.ALL_STATUSES)

    def seen(self, refs: Iterable[ObjectRef], lane: Lane = Lane.STATUSES) -> None:
        """Something happened that can concern only the statuses of these."""
        if not self.knows_enough:
            # All are looked at once it does.
            return
        for ref in refs:
            self.queue.add(Work("status", ref), limits.STATUS_SETTLE_S, lane)

    def config_map(self, namespace: str, lane: Lane = Lane.TABLES) -> None:
        """The namespace's ConfigMap may not be what it should be."""
        work = Work("config", ObjectRef(NAMESPACE, "", namespace))
        self.queue.add(work, limits.SETTLE_S, lane)

    def all(self) -> None:
        """Look at everything again."""
        self._publisher.doubt()
        self.touched(self._world.held)
        for namespace in {ref.namespace for ref in self._world.held if ref.kind == "RoutingPolicy"}:
            self.config_map(namespace)

    def know_enough(self) -> None:
        """Pods, namespaces and fleet were seen once: statuses are told from now on."""
        self.knows_enough = True
        self.seen(self._world.held, Lane.ALL_STATUSES)

    async def run(self) -> None:
        """One worker, for ever."""
        await self.queue.work(self._handle, EXPECTED)

    async def run_edits(self) -> None:
        """One worker for what edits concern, for ever."""
        await self.queue.work(self._handle, EXPECTED, Lane.EDITS + 1)

    def _touch(self, refs: Collection[ObjectRef], tables: Lane, statuses: Lane) -> None:
        for ref in refs:
            if ref.kind == RoutingPolicy.KIND:
                self.queue.add(Work("table", ref), limits.SETTLE_S, tables)
            elif ref.kind == ModelPool.KIND:
                self.queue.add(Work("pool", ref), limits.SETTLE_S, tables)
        self.seen(refs, statuses)

    async def _handle(self, work: Work, lane: int) -> None:
        first = pressing() if lane == Lane.EDITS else nullcontext()
        with self._metrics.reconciling(work.step, EXPECTED), first:
            if work.step == "table":
                await self._table(work.ref, Lane(lane))
            elif work.step == "pool":
                await self._publisher.pools.to_hub(ObjectName(work.ref.namespace, work.ref.name))
            elif work.step == "config":
                await self._config_map(work.ref.name)
            elif self.knows_enough:
                again_s = await self._teller.tell(work.ref)
                if again_s is not None:
                    self.queue.add(work, again_s, Lane.STATUSES)

    async def _table(self, ref: ObjectRef, lane: Lane) -> None:
        try:
            with self._metrics.publishing():
                await self._publisher.to_hub(ObjectName(ref.namespace, ref.name))
        finally:
            # The fallback matters most while the hub is away.
            self.config_map(ref.namespace, lane)
            self.seen({ref}, Lane.STATUSES if lane < Lane.TABLES else Lane.ALL_STATUSES)

    async def _config_map(self, namespace: str) -> None:
        before = dict(self._publisher.trouble)
        try:
            await self._publisher.to_config_map(namespace)
        finally:
            # What was found out before a failed write will not be news at the next try.
            after = self._publisher.trouble
            changed = {it for it in before.keys() | after if before.get(it) != after.get(it)}
            self.seen({ObjectRef(RoutingPolicy.KIND, it.namespace, it.name) for it in changed})
