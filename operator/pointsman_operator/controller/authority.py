"""Certificates kept valid: root and leaves in their Secrets, whom to trust told to everybody.

Called by `process` at the start and every minute. The order of a rotation is `owned.authority`'s;
this brings it to the Secrets, the ConfigMaps, the webhooks and our own client of the hub.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import Any

from pointsman_operator.api.meta import GROUP
from pointsman_operator.controller import limits
from pointsman_operator.controller.metrics import Metrics
from pointsman_operator.controller.publishing import Publisher
from pointsman_operator.controller.settings import ControllerSettings
from pointsman_operator.kube import limits as kube_limits
from pointsman_operator.kube.api import Api, ApiError
from pointsman_operator.kube.hub import Hub
from pointsman_operator.kube.lease import NotLeadingError
from pointsman_operator.owned.authority import (
    BUNDLE,
    CERTIFICATE,
    KEY,
    Roots,
    advance,
    leaf_data,
    leaf_of,
    read_pair,
    read_roots,
    roots_data,
)
from pointsman_operator.owned.certificates import Pair
from pointsman_operator.owned.marks import MANAGED_BY, MANAGER, marks

_log = logging.getLogger(__name__)

SERVERS = ("hub", "injector")
RENEW_BEFORE = f"{GROUP}/renew-before"
"""Annotation of the authority's Secret: roots made before this time (RFC 3339) are replaced."""


class Authority:
    """The certificates of hub and injector."""

    def __init__(
        self,
        settings: ControllerSettings,
        api: Api,
        hub: Hub,
        publisher: Publisher,
        metrics: Metrics,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Called when others have to be told whom to trust."""
        self.signing: Pair | None = None
        """What signs leaves now; None: nothing of ours does."""
        self._settings = settings
        self._api = api
        self._hub = hub
        self._publisher = publisher
        self._metrics = metrics
        self._home = f"/api/v1/namespaces/{settings.namespace}"

    async def run(self) -> None:
        """Look every minute; earlier again after a failure."""
        well = True
        while True:
            pause_s = limits.AUTHORITY_EVERY_S if well else kube_limits.RECONNECT_MOST_S
            # Steps of a rotation follow each other by the overlap; a short one is for tests.
            await asyncio.sleep(min(pause_s, max(1.0, self._settings.overlap_seconds / 2)))
            well = await self.look()

    async def look(self) -> bool:
        """Bring everything one step on; whether all went well."""
        try:
            bundle = await (self._own() if self._settings.authority == "Own" else self._given())
            await self._hub.trust(bundle)
            await self._tell_webhooks(bundle)
        except (ApiError, NotLeadingError) as error:
            _log.warning("certificates: %s", error)
            return False
        if bundle != self._publisher.bundle:
            self._publisher.bundle = bundle
            self.changed()
        return True

    async def _own(self) -> str:
        """Our own authority: one step of its life; whom to trust."""
        now = dt.datetime.now(dt.UTC)
        held = await self._secret("ca")
        secrets = {server: await self._secret(f"{server}-tls") for server in SERVERS}
        leaves = {server: _leaf(secret) for server, secret in secrets.items()}
        before = read_roots(held.get("data") or {})
        renew = _moment((held["metadata"].get("annotations") or {}).get(RENEW_BEFORE))
        overlap = dt.timedelta(seconds=self._settings.overlap_seconds)
        roots = advance(before, list(leaves.values()), now, overlap, renew)
        await self._store(held, roots_data(roots))
        for server, secret in secrets.items():
            leaf = leaf_of(roots, leaves[server], self._names(server), now)
            await self._store(secret, leaf_data(leaf, roots.bundle))
            self._measure(server, leaf)
        if roots.signing is not None:
            self._measure("root", roots.signing)
        await self._publish(roots)
        self.signing = roots.signing
        return roots.bundle

    async def _given(self) -> str:
        """Somebody else's authority: what its ConfigMap says."""
        found = await self._api.get(f"{self._home}/configmaps/{self._settings.prefix}-ca")
        return str(((found or {}).get("data") or {}).get(BUNDLE, ""))

    async def _publish(self, roots: Roots) -> None:
        """The ConfigMap from which the injector and people take whom to trust."""
        name = f"{self._settings.prefix}-ca"
        path = f"{self._home}/configmaps/{name}"
        found = await self._api.get(path)
        if found is not None and (found.get("data") or {}).get(BUNDLE) == roots.bundle:
            return
        installation = str((await self._secret("ca"))["metadata"]["uid"])
        labels = marks(installation)
        held = ((found or {}).get("metadata") or {}).get("labels") or {}
        if held.get(MANAGED_BY, MANAGER) != MANAGER:
            # Helm's: to take its label would make the next upgrade a conflict.
            del labels[MANAGED_BY]
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": labels},
            "data": {BUNDLE: roots.bundle},
        }
        await self._api.apply(path, document)

    async def _tell_webhooks(self, bundle: str) -> None:
        """Each webhook of ours trusts the bundle; nothing else of them is touched."""
        if not bundle:
            return
        encoded = base64.b64encode(bundle.encode()).decode()
        folder = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        for name in self._settings.webhooks:
            found = await self._api.get(f"{folder}/{name}")
            hooks = (found or {}).get("webhooks") or ()
            if found is None or all(it["clientConfig"].get("caBundle") == encoded for it in hooks):
                continue
            document = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": name, "uid": found["metadata"]["uid"]},
                "webhooks": [
                    {"name": it["name"], "clientConfig": {"caBundle": encoded}} for it in hooks
                ],
            }
            await self._api.apply(f"{folder}/{name}", document)

    async def _secret(self, name: str) -> dict[str, Any]:
        full = f"{self._settings.prefix}-{name}"
        found = await self._api.get(f"{self._home}/secrets/{full}")
        if found is None:
            raise ApiError(404, f"Secret {full} is missing; the chart makes it, empty")
        return found

    async def _store(self, secret: Mapping[str, Any], data: Mapping[str, str]) -> None:
        if (secret.get("data") or {}) != data:
            path = f"{self._home}/secrets/{secret['metadata']['name']}"
            await self._api.update(path, {**secret, "data": data})

    def _names(self, server: str) -> list[str]:
        own = f"{self._settings.prefix}-{server}.{self._settings.namespace}"
        return [f"{own}.svc", own, f"{own}.svc.cluster.local"]

    def _measure(self, name: str, pair: Pair) -> None:
        certificate = pair.parsed()
        if certificate is not None:
            self._metrics.expiry.labels(name).set(certificate.not_valid_after_utc.timestamp())


def _leaf(secret: Mapping[str, Any]) -> Pair | None:
    return read_pair(secret.get("data") or {}, CERTIFICATE, KEY)


def _moment(text: str | None) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        _log.warning("annotation %s is no RFC 3339 time: %s", RENEW_BEFORE, text)
        return None
    return found.replace(tzinfo=found.tzinfo or dt.UTC) if found else None
