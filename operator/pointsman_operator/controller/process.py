"""One controller process: wait for the Lease, then run everything until told to end or replaced."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Mapping
from typing import Any

from pointsman_operator.api.kinds import KINDS
from pointsman_operator.controller import limits
from pointsman_operator.controller.authority import Authority
from pointsman_operator.controller.budgets import Accounts
from pointsman_operator.controller.comparing import Comparison
from pointsman_operator.controller.following import HubFollower
from pointsman_operator.controller.gateways import Gateways
from pointsman_operator.controller.held import ref_of
from pointsman_operator.controller.memory import free_circles
from pointsman_operator.controller.metrics import Metrics
from pointsman_operator.controller.observed import Pod, read_pod
from pointsman_operator.controller.probes import Probes
from pointsman_operator.controller.publishing import Publisher
from pointsman_operator.controller.reconcile import Reconciler
from pointsman_operator.controller.settings import ControllerSettings
from pointsman_operator.controller.telling import Teller
from pointsman_operator.controller.watching import Watcher
from pointsman_operator.controller.world import World, cluster_knowledge
from pointsman_operator.inject.names import INJECTION
from pointsman_operator.kube import limits as kube_limits
from pointsman_operator.kube.api import Api, ApiError
from pointsman_operator.kube.connection import Connection
from pointsman_operator.kube.events import Events
from pointsman_operator.kube.hub import Hub
from pointsman_operator.kube.lease import Elector, Fence, Leadership
from pointsman_operator.kube.metadata import Key, MetadataWatch
from pointsman_operator.owned.tables_config_map import NAME

_log = logging.getLogger(__name__)

RUNNING = "status.phase!=Succeeded,status.phase!=Failed"


class Controller:
    """All parts of one process, joined."""

    def __init__(self, settings: ControllerSettings, connection: Connection) -> None:
        self._settings = settings
        self._connection = connection
        self._boot = uuid.uuid4().hex
        self._leadership = Leadership()
        self._metrics = Metrics()
        self._world = World(
            platform_namespaces=frozenset(settings.platform_namespaces),
            scope=frozenset(settings.namespaces),
            knowledge=cluster_knowledge(settings.gateway_namespaces),
        )
        self._hub = Hub(settings.hub, settings.hub_token_file)
        # Renewals must not wait behind writes, nor need the Lease that they renew.
        self._lease_api = Api(connection, check=lambda: None)
        self._api = Api(connection, check=self._leadership.check)
        self._watches: dict[str, MetadataWatch[Any]] = {}
        self._watcher: Watcher | None = None
        self._reconciler: Reconciler | None = None
        self._follower: HubFollower | None = None

    async def run(self) -> None:
        """Until cancelled; a group with `LeadershipLostError` or `FencedError` when replaced."""
        settings = self._settings
        name, holder = f"{settings.prefix}-controller", f"{settings.identity}_{self._boot[:8]}"
        elector = Elector(self._lease_api, settings.namespace, name, holder, self._leadership)
        probes = Probes(
            settings.host, settings.port, settings.announce, self._ills, self._unready, self._page
        )
        serving = asyncio.create_task(probes.serve())
        led = False
        try:
            installation = await self._installation()
            transitions = await elector.acquire()
            led = True
            fence = Fence(installation, transitions, self._boot)
            async with asyncio.TaskGroup() as group:
                group.create_task(elector.keep())
                group.create_task(self._lead(fence))
        finally:
            await self._end(elector if led else None)
            probes.should_exit = True
            await asyncio.wait({serving}, timeout=limits.SHUTDOWN_WITHIN_S)

    async def _lead(self, fence: Fence) -> None:
        """Everything that a leader does."""
        events = Events(self._api, self._settings.identity)
        publisher = Publisher(self._world, self._api, self._hub, events, self._leadership, fence)
        teller = Teller(self._world, self._api, events, publisher)
        reconciler = Reconciler(self._world, publisher, teller, self._metrics)
        accounts = Accounts(self._world, self._hub, self._leadership, fence)
        follower = HubFollower(self._world, self._hub, publisher, reconciler, accounts)
        authority = Authority(self._settings, self._api, self._hub, publisher, self._metrics)
        authority.changed = reconciler.all
        gateways = Gateways(
            self._settings,
            self._world,
            self._api,
            self._hub,
            publisher,
            authority,
            fence.installation,
        )
        comparison = Comparison(
            self._api, self._world, reconciler, self._metrics, self._settings.namespaces
        )
        self._reconciler, self._follower = reconciler, follower
        await comparison.fill()
        self._watch(reconciler, publisher)
        self._watcher = Watcher(self._connection, self._settings.namespaces, self._told)
        async with asyncio.TaskGroup() as group:
            await authority.look()
            # Tables go out before the hub was compared, too: what it has already costs a question.
            tasks: list[Awaitable[None]] = [
                *(watch.run() for watch in self._watches.values()),
                *(reconciler.run() for _ in range(limits.WORKERS)),
                *(reconciler.run_edits() for _ in range(limits.EDIT_WORKERS)),
                *(follower.follow_fleet(), follower.follow_budgets()),
                *(comparison.run(), authority.run(), self._look_at_all(), self._learn_enough()),
                gateways.run(),
            ]
            for task in tasks:
                group.create_task(task)  # type: ignore[arg-type]
            self._watcher.start()
            reconciler.all()

    def _watch(self, reconciler: Reconciler, publisher: Publisher) -> None:
        """The metadata watches; what they tell lands in the world."""

        def pod(key: Key, found: Pod | None) -> None:
            self._world.take_pod(key, found)
            reconciler.seen(self._world.in_namespace(key[0]))

        def namespace(key: Key, found: tuple[str, bool] | None) -> None:
            self._world.take_namespace(key[1], found)
            reconciler.seen(self._world.in_namespace(key[1]))

        def config_map(key: Key, version: str | None) -> None:
            if publisher.noticed(key[0], version):
                reconciler.config_map(key[0])

        named = f"metadata.name={NAME}"
        self._add_watch("namespaces", "/api/v1/namespaces", _injection, namespace)
        for scope in self._settings.namespaces or ("",):
            base = f"/api/v1/namespaces/{scope}" if scope else "/api/v1"
            self._add_watch(f"pods/{scope}", f"{base}/pods", read_pod, pod, RUNNING)
            self._add_watch(
                f"configmaps/{scope}", f"{base}/configmaps", _version, config_map, named
            )

    def _add_watch(self, name: str, path: str, keep: Any, changed: Any, fields: str = "") -> None:
        watch = MetadataWatch(self._connection, path, keep, changed, fields)
        self._watches[name.rstrip("/")] = watch

    def _told(self, kind: str, item: Mapping[str, Any]) -> None:
        """An event of kopf's, in our loop."""
        if self._reconciler is None:
            return
        ref = ref_of(item)
        if kind == "DELETED":
            self._reconciler.edited(ref, self._world.drop(ref))
            return
        before = self._world.held.get(ref)
        touched = self._world.take(item)
        if before is not None and self._world.held[ref].resource is before.resource:
            # Its status only, or its labels: no table has changed.
            self._reconciler.seen(touched)
        else:
            self._reconciler.edited(ref, touched)

    async def _learn_enough(self) -> None:
        """No status is told before pods, namespaces and fleet were seen: it would not be true."""
        if self._reconciler is None or self._follower is None:
            return
        for watch in self._watches.values():
            await watch.synced.wait()
        await self._follower.known.wait()
        self._reconciler.know_enough()
        await free_circles(limits.COLLECTED_EVERY_S)

    async def _look_at_all(self) -> None:
        while self._reconciler is not None:
            await asyncio.sleep(limits.FULL_LOOK_S)
            self._reconciler.all()

    async def _installation(self) -> str:
        """The UID of the Secret that the chart makes: which installation this is."""
        settings = self._settings
        path = f"/api/v1/namespaces/{settings.namespace}/secrets/{settings.prefix}-ca"
        while True:
            try:
                found = await self._lease_api.get(path)
            except ApiError as error:
                _log.warning("cannot read Secret %s-ca yet: %s", settings.prefix, error)
            else:
                if found is not None:
                    return str(found["metadata"]["uid"])
                _log.error(
                    "Secret %s/%s-ca is missing; the chart makes it: is it installed?",
                    settings.namespace,
                    settings.prefix,
                )
            await asyncio.sleep(kube_limits.LEASE_RENEW_S)

    async def _end(self, elector: Elector | None) -> None:
        if self._watcher is not None:
            await self._watcher.stop()
        if elector is not None:
            await elector.release()
        await self._hub.close()
        self._api.close()
        self._lease_api.close()

    def _ills(self) -> list[str]:
        """Why the kubelet should start this process again."""
        found = [
            f"nothing heard from the watch of {name} for {watch.age_s():.0f} s"
            for name, watch in self._watches.items()
            if self._leadership.leading and watch.age_s() > 2 * kube_limits.WATCH_S
        ]
        if self._watcher is not None and not self._watcher.alive:
            found.append("kopf's thread has ended")
        return found

    def _unready(self) -> list[str]:
        """Why this process is not (yet) of use; a standby is ready."""
        if self._leadership.leading and self._reconciler and not self._reconciler.knows_enough:
            return ["pods, namespaces or the hub have not been seen yet"]
        return []

    def _page(self) -> bytes:
        return self._metrics.page(self._measure)

    def _measure(self) -> None:
        metrics = self._metrics
        metrics.leads.set(self._leadership.leading)
        metrics.queue.set(len(self._reconciler.queue) if self._reconciler else 0)
        metrics.hub_answers.set(bool(self._follower and self._follower.answers))
        for kind in KINDS:
            count = sum(ref.kind == kind.name for ref in self._world.held)
            metrics.objects.labels(kind.name).set(count)
        for name, watch in self._watches.items():
            metrics.age.labels(name).set(watch.age_s())
            metrics.relists.labels(name).set(watch.relists)


def _injection(metadata: Mapping[str, Any]) -> tuple[str, bool]:
    label = str((metadata.get("labels") or {}).get(INJECTION, ""))
    return label, "deletionTimestamp" in metadata


def _version(metadata: Mapping[str, Any]) -> str:
    return str(metadata["resourceVersion"])
