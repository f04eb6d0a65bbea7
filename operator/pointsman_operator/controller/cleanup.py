"""`python -m pointsman_operator cleanup`: what an uninstallation leaves in others' namespaces.

Run by the chart after everything else is gone, so that no controller writes it again: the tables'
ConfigMaps and the gateways of this installation, found by label, and the Lease. Sidecars that still
run keep their last good table in memory. Exit codes: 0 done, 64 a setting that cannot be, 69 no
API server, 75 some of it is still there: run it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from pydantic import ValidationError

from pointsman_operator.controller.logs import log_as_json
from pointsman_operator.controller.settings import ControllerSettings, read_settings
from pointsman_operator.kube.api import Api, ApiError
from pointsman_operator.kube.connection import Connection, NoConnectionError, connect
from pointsman_operator.owned.gateway import LABEL
from pointsman_operator.owned.gateway_objects import FOLDERS, path_of
from pointsman_operator.owned.marks import INSTALLATION, MANAGED_BY, MANAGER
from pointsman_operator.owned.tables_config_map import NAME

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_AGAIN = 75

_log = logging.getLogger(__name__)


def main() -> int:
    """Clean up once; the exit code."""
    try:
        settings = read_settings(sys.argv[1:], os.environ)
        connection = connect(settings.kubeconfig, settings.context)
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except NoConnectionError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNAVAILABLE
    log_as_json(settings.log_level)
    return asyncio.run(_run(settings, connection))


async def clean_up(api: Api, settings: ControllerSettings) -> int:
    """Delete this installation's ConfigMaps and Lease; how many ConfigMaps. Raises `ApiError`."""
    home = f"/api/v1/namespaces/{settings.namespace}"
    authority = await api.get(f"{home}/secrets/{settings.prefix}-ca")
    deleted = 0
    if authority is None:
        # Without it nobody can tell our ConfigMaps from those of another installation.
        _log.warning("Secret %s-ca is gone: ConfigMaps %s are left", settings.prefix, NAME)
    else:
        uid = str(authority["metadata"]["uid"])
        for namespace in settings.namespaces or ("",):
            deleted += await _config_maps(api, namespace, uid)
        for namespace in settings.gateway_namespaces:
            await _gateways(api, namespace, uid)
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{settings.namespace}/leases"
    path = f"{leases}/{settings.prefix}-controller"
    lease = await api.get(path)
    if lease is not None:
        await api.delete(path, str(lease["metadata"]["uid"]))
    return deleted


async def _config_maps(api: Api, namespace: str, uid: str) -> int:
    place = f"namespaces/{namespace}/" if namespace else ""
    query = {
        "labelSelector": f"{MANAGED_BY}={MANAGER},{INSTALLATION}={uid}",
        "fieldSelector": f"metadata.name={NAME}",
    }
    found = (await api.get(f"/api/v1/{place}configmaps", query) or {}).get("items", [])
    for each in found:
        metadata = each["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/configmaps/{NAME}"
        await api.delete(path, str(metadata["uid"]))
    return len(found)


async def _gateways(api: Api, namespace: str, uid: str) -> None:
    query = {"labelSelector": f"{MANAGED_BY}={MANAGER},{INSTALLATION}={uid},{LABEL}"}
    for kind in FOLDERS:
        for each in (await api.get(path_of(kind, namespace), query) or {}).get("items", []):
            metadata = each["metadata"]
            path = path_of(kind, namespace, str(metadata["name"]))
            await api.delete(path, str(metadata["uid"]))


async def _run(settings: ControllerSettings, connection: Connection) -> int:
    api = Api(connection, lambda: None)
    try:
        deleted = await clean_up(api, settings)
    except ApiError as error:
        _log.error("not everything is cleaned up: %s", error)
        return EXIT_AGAIN
    finally:
        api.close()
    _log.info("cleaned up %d ConfigMaps", deleted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
