"""The end of an installation: what lies in users' namespaces goes, resources and ledger stay.

Run as `python -m pointsman_operator.controller --uninstall` by the chart's post-delete hook, with
rights of its own (`owned.permissions.of_uninstall`). It takes the Lease first: a controller that is
still ending would put back what is deleted here. Sidecars go on with the tables that they hold.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from pointsman_operator.controller.settings import ControllerSettings
from pointsman_operator.kube.api import Api
from pointsman_operator.kube.connection import Connection
from pointsman_operator.kube.lease import Elector, Leadership
from pointsman_operator.kube.metadata import Key, MetadataWatch
from pointsman_operator.owned.marks import MANAGED_BY, MANAGER
from pointsman_operator.owned.tables_config_map import NAME

_log = logging.getLogger(__name__)


async def uninstall(settings: ControllerSettings, connection: Connection) -> None:
    """Delete the ConfigMaps, the bundle and the Lease; raises `ApiError` where that is refused."""
    leadership = Leadership()
    api = Api(connection, check=leadership.check)
    lease_api = Api(connection, check=lambda: None)
    name = f"{settings.prefix}-controller"
    holder = f"uninstall_{uuid.uuid4().hex[:8]}"
    elector = Elector(lease_api, settings.namespace, name, holder, leadership)
    try:
        await elector.acquire()
        for scope in settings.namespaces or ("",):
            await _delete_config_maps(connection, api, scope)
        home = f"/api/v1/namespaces/{settings.namespace}/configmaps/{settings.prefix}-ca"
        await _delete(api, home)
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{settings.namespace}/leases"
        await _delete(lease_api, f"{leases}/{name}")
    finally:
        api.close()
        lease_api.close()


async def _delete_config_maps(connection: Connection, api: Api, scope: str) -> None:
    found: dict[Key, str] = {}

    def keep(metadata: Mapping[str, Any]) -> str:
        ours = (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER
        return str(metadata["uid"]) if ours else ""

    def changed(key: Key, uid: str | None) -> None:
        found[key] = uid or ""

    base = f"/api/v1/namespaces/{scope}" if scope else "/api/v1"
    watch = MetadataWatch(connection, f"{base}/configmaps", keep, changed, f"metadata.name={NAME}")
    watching = asyncio.create_task(watch.run())
    try:
        await watch.synced.wait()
    finally:
        watching.cancel()
    for (namespace, name), uid in found.items():
        if uid:
            await api.delete(f"/api/v1/namespaces/{namespace}/configmaps/{name}", uid)
            _log.info("deleted ConfigMap %s/%s", namespace, name)


async def _delete(api: Api, path: str) -> None:
    there = await api.get(path)
    if there is not None:
        await api.delete(path, str(there["metadata"]["uid"]))
        _log.info("deleted %s", path)
