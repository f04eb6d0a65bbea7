"""The hub's view followed: which sidecars run what, what the accounts hold, whether it answers."""

from __future__ import annotations

import asyncio
import logging

from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.controller import limits
from pointsman_operator.controller.budgets import Accounts
from pointsman_operator.controller.fleet import read_fleet
from pointsman_operator.controller.observed import (
    read_down,
    read_models,
    read_strained,
)
from pointsman_operator.controller.publishing import Publisher
from pointsman_operator.controller.reconcile import Lane, Reconciler
from pointsman_operator.controller.world import World
from pointsman_operator.kube import limits as kube_limits
from pointsman_operator.kube.hub import Hub, HubRefusedError, HubUnreachableError

_log = logging.getLogger(__name__)


class HubFollower:
    """Keeps the world's fleet and accounts as the hub has them."""

    def __init__(
        self,
        world: World,
        hub: Hub,
        publisher: Publisher,
        reconciler: Reconciler,
        accounts: Accounts,
    ) -> None:
        self.known = asyncio.Event()
        """Set once the fleet was seen, or the hub has been away for long enough to say so."""
        self._world = world
        self._hub = hub
        self._publisher = publisher
        self._reconciler = reconciler
        self._accounts = accounts
        self._lost_at: float | None = None
        self._compared = False

    @property
    def answers(self) -> bool:
        """Whether the hub answered last."""
        return not self._world.hub

    async def follow_fleet(self) -> None:
        """Ask for changes for ever."""
        revision: int | None = None
        pause_s = kube_limits.RECONNECT_FIRST_S
        while True:
            try:
                if not self._compared:
                    await self._compare()
                document = await self._hub.fleet(revision)
                revision = int(document["rev"])
                self._found()
                touched = self._world.take_fleet(read_fleet(document))
                self._reconciler.seen(self._world.take_models(read_models(document)))
                self._reconciler.seen(self._world.take_down(read_down(document)))
                self._reconciler.seen(self._world.take_strained(read_strained(document)))
                for namespace in touched:
                    self._reconciler.seen(self._world.in_namespace(namespace))
                self.known.set()
                pause_s = kube_limits.RECONNECT_FIRST_S
                await asyncio.sleep(kube_limits.FLEET_PAUSE_S)
            except (HubUnreachableError, HubRefusedError, KeyError, ValueError, TypeError) as error:
                revision = None
                self._lost(str(error) or type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, limits.HUB_AWAY_AFTER_S)

    async def follow_budgets(self) -> None:
        """Read the accounts for ever."""
        while True:
            try:
                accounts = await self._accounts.read()
            except (HubUnreachableError, HubRefusedError, KeyError, ValueError, TypeError) as error:
                _log.debug("no accounts now: %s", error)
            else:
                self._reconciler.seen(self._world.take_accounts(accounts))
            await asyncio.sleep(limits.BUDGETS_EVERY_S)

    async def _compare(self) -> None:
        """What the hub serves after it was away, or before we came, may be anything."""
        for name in await self._publisher.compare_hub():
            self._reconciler.touched({_policy(name)})
        pools = self._publisher.pools.known()
        self._reconciler.touched({ObjectRef("ModelPool", it.namespace, it.name) for it in pools})
        self._compared = True

    def _found(self) -> None:
        self._lost_at = None
        if self._world.hub:
            self._world.hub = ""
            _log.info("the hub answers")
            self._reconciler.seen(self._world.held, Lane.ALL_STATUSES)

    def _lost(self, why: str) -> None:
        self._compared = False
        now = asyncio.get_running_loop().time()
        if self._lost_at is None:
            self._lost_at = now
            _log.warning("the hub does not answer: %s", why)
        if now - self._lost_at >= limits.HUB_AWAY_AFTER_S:
            away, self._world.hub = self._world.hub, why
            self.known.set()
            if not away:
                self._reconciler.seen(self._world.held, Lane.ALL_STATUSES)


def _policy(name: ObjectName) -> ObjectRef:
    return ObjectRef(RoutingPolicy.KIND, name.namespace, name.name)
