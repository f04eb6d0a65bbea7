"""The gateways of pools and policies: objects, tables of pools, certificates, and their end.

Called by `process`; level-triggered like all else: each look brings what is there to what the world
says. What was applied is remembered, so that a look costs the API server nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pointsman_operator.api.gateways import host
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.compile import gateway_pools
from pointsman_operator.compile.gateway import gateway_policies, table_name
from pointsman_operator.controller import limits
from pointsman_operator.controller.authority import Authority
from pointsman_operator.controller.observed import Sidecar
from pointsman_operator.controller.publishing import Publisher
from pointsman_operator.controller.settings import ControllerSettings
from pointsman_operator.controller.world import World
from pointsman_operator.kube.api import Api, ApiError
from pointsman_operator.kube.hub import Hub, HubRefusedError, HubUnreachableError
from pointsman_operator.kube.lease import NotLeadingError
from pointsman_operator.owned.certificates import Pair, issue_requested
from pointsman_operator.owned.gateway import LABEL, Gateway, Site
from pointsman_operator.owned.gateway_objects import FOLDERS, objects, path_of
from pointsman_operator.owned.marks import INSTALLATION, MANAGED_BY, MANAGER

_log = logging.getLogger(__name__)
EXPECTED = (ApiError, HubUnreachableError, HubRefusedError, NotLeadingError, ValueError)


@dataclass(frozen=True)
class _Signed:
    csr: str
    root: str
    chain: str
    made: dt.datetime
    told_s: float


class Gateways:
    """Keeps the gateways of this installation."""

    def __init__(
        self,
        settings: ControllerSettings,
        world: World,
        api: Api,
        hub: Hub,
        publisher: Publisher,
        authority: Authority,
        installation: str,
    ) -> None:
        self._settings = settings
        self._world = world
        self._api = api
        self._hub = hub
        self._publisher = publisher
        self._authority = authority
        self._installation = installation
        self._applied: dict[ObjectName, tuple[str, float]] = {}
        """Content and time of what was applied, by the gateway's own name."""
        self._swept_s: dict[str, float] = {}
        """When a namespace was last searched for what is not needed."""
        self._resting: dict[str, tuple[float, float]] = {}
        """Until when, and how long, something that failed is left alone."""
        self._signed: dict[tuple[str, str], _Signed] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(limits.GATEWAYS_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Bring everything to what the world says, once."""
        snapshot = self._world.snapshot
        wanted = gateway_pools(snapshot)
        gateways = [Gateway("pool", pool) for pool in sorted(wanted)]
        policies = sorted(gateway_policies(snapshot).items())
        gateways += [Gateway("policy", policy, replicas) for policy, replicas in policies]
        if self._publisher.bundle:
            for gateway in gateways:
                place = f"{gateway.of.namespace}/{gateway.name}"
                await self._apart(place, partial(self._apply, gateway))
        await self._remove_others(gateways)
        await self._apart("certificates", self._certify)
        # The hub comes last: where it is away, the objects are there all the same.
        await self._apart("tables", partial(self._publish, wanted))

    async def _apart(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do one thing; where it fails it rests, ever longer, and holds up no other."""
        until_s, pause_s = self._resting.get(what, (0.0, limits.GATEWAYS_EVERY_S))
        if (now_s := time.monotonic()) < until_s:
            return
        try:
            await work()
            self._resting.pop(what, None)
        except EXPECTED as error:
            _log.warning("gateways: %s: %s", what, error)
            longer_s = min(pause_s * 2, limits.BACKOFF_MOST_S)
            self._resting[what] = (now_s + pause_s, longer_s)

    async def _publish(self, wanted: frozenset[ObjectName]) -> None:
        for pool in sorted(wanted):
            compiled = self._world.gateway(pool)
            target = {"gateway": f"pool/{pool.name}", "labels": {}, "order": [0, "", pool.name]}
            await self._publisher.put(table_name(pool), compiled.data, compiled.digest, target)
        await self._publisher.withdraw_gateways({table_name(pool) for pool in wanted})

    async def _apply(self, gateway: Gateway) -> None:
        if gateway.of.namespace in self._world.leaving:
            return
        name = ObjectName(gateway.of.namespace, gateway.name)
        made = objects(gateway, self._site())
        content, now_s = json.dumps(made, sort_keys=True), time.monotonic()
        before, at_s = self._applied.get(name, ("", 0.0))
        if before == content and now_s < at_s + limits.FULL_LOOK_S:
            return
        for document in made:
            path = path_of(document["kind"], name.namespace, name.name)
            await self._api.apply(path, document)
        self._applied[name] = (content, now_s)

    async def _remove_others(self, wanted: Sequence[Gateway]) -> None:
        """Objects of ours that are not needed, found by label; seldom, and when one fell away."""
        kept = {ObjectName(gateway.of.namespace, gateway.name) for gateway in wanted}
        fallen = {name.namespace for name in self._applied if name not in kept}
        for namespace in self._settings.gateway_namespaces:
            due_s = self._swept_s.get(namespace, float("-inf")) + limits.FULL_LOOK_S
            if namespace in fallen or time.monotonic() >= due_s:
                sweep = partial(self._sweep, namespace, kept)
                await self._apart(f"what is left in {namespace}", sweep)

    async def _sweep(self, namespace: str, kept: set[ObjectName]) -> None:
        labels = f"{MANAGED_BY}={MANAGER},{INSTALLATION}={self._installation},{LABEL}"
        for kind in FOLDERS:
            found = await self._api.get(path_of(kind, namespace), {"labelSelector": labels})
            for item in (found or {}).get("items", ()):
                if _name(item) in kept:
                    continue
                name, uid = str(item["metadata"]["name"]), str(item["metadata"]["uid"])
                _log.info("%s %s/%s is needed no more", kind, namespace, name)
                await self._api.delete(path_of(kind, namespace, name), uid)
        self._applied = {
            name: applied
            for name, applied in self._applied.items()
            if name in kept or name.namespace != namespace
        }
        self._swept_s[namespace] = time.monotonic()

    async def _certify(self) -> None:
        """Answer what gateways ask for: names follow from who they are, not from what they say."""
        root = self._authority.signing
        asking = {
            (it.uid, it.boot): it
            for it in self._world.sidecars.values()
            if it.gateway and it.csr and it.connected
        }
        self._signed = {key: it for key, it in self._signed.items() if key in asking}
        if root is None:
            return
        for key, sidecar in asking.items():
            await self._sign(key, sidecar, root)

    async def _sign(self, key: tuple[str, str], sidecar: Sidecar, root: Pair) -> None:
        now, now_s = dt.datetime.now(dt.UTC), time.monotonic()
        known = self._signed.get(key)
        if (
            known is None
            or (known.csr, known.root) != (sidecar.csr, root.certificate)
            or now > known.made + limits.GATEWAY_CERTIFICATE_RENEWED_AFTER
        ):
            kind, _, name = sidecar.gateway.partition("/")
            if kind not in {"pool", "policy"}:
                return
            own = host(kind, ObjectName(sidecar.namespace, name))  # type: ignore[arg-type]  # checked
            names = [own, f"{own}.cluster.local"]
            try:
                chain = issue_requested(root, sidecar.csr, names, now)
            except ValueError as error:
                _log.warning("pod %s asks for a certificate: %s", sidecar.pod, error)
                return
            known = _Signed(sidecar.csr, root.certificate, chain, now, float("-inf"))
        if now_s < known.told_s + limits.AUTHORITY_EVERY_S:
            return
        # Told again now and then: a hub that was restarted in between has forgotten it.
        await self._hub.put_certificate(sidecar.uid, known.chain)
        self._signed[key] = _Signed(known.csr, known.root, known.chain, known.made, now_s)

    def _site(self) -> Site:
        settings = self._settings
        return Site(
            image=settings.sidecar_image,
            hub_url=settings.hub,
            hub_ca=self._publisher.bundle,
            installation=self._installation,
            pull_policy=settings.sidecar_pull_policy,
            log_level=settings.sidecar_log_level,
            otlp_endpoint=settings.otlp_endpoint,
            otlp_sample_percent=settings.otlp_sample_percent,
            pull_secrets=settings.pull_secrets,
        )


def _name(item: Mapping[str, Any]) -> ObjectName:
    return ObjectName(str(item["metadata"]["namespace"]), str(item["metadata"]["name"]))
