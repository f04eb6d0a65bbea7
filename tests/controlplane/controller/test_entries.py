"""A policy's own gateway for callers outside pods: made, told, resized and taken away again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.control_plane import ControlPlane
from pointsman_operator.owned import permissions
from pointsman_operator.owned.gateway_objects import FOLDERS, path_of
from support.cluster_hub import ClusterHub
from support.controllers import ACCOUNT, Home, controller
from support.eventually import eventually
from support.resources import policy, pool, rule
from support.resources_in_cluster import pod, status, verdict

pytestmark = pytest.mark.timeout(180)
POLICY = "routingpolicies/partners"
ENTRY = "pointsman-entry-partners"
WITHIN_S = 40
GROUP = "rbac.authorization.k8s.io"


def allow_gateways(home: Home, namespace: str) -> None:
    """What the chart binds in each of `gatewayNamespaces`."""
    folder = f"/apis/{GROUP}/v1/namespaces/{namespace}"
    named = {"apiVersion": f"{GROUP}/v1", "metadata": {"name": "gateways"}}
    role = named | {"kind": "Role", "rules": permissions.of_gateways()}
    account = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home.namespace}
    binding = {
        **named,
        "kind": "RoleBinding",
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "gateways"},
        "subjects": [account],
    }
    home.cluster.api.create(f"{folder}/roles", role)
    home.cluster.api.create(f"{folder}/rolebindings", binding)


def entry(namespace: str, replicas: int = 2) -> dict[str, Any]:
    """The policy."""
    target = {"gateway": {"replicas": replicas}}
    return policy(rule(), name="partners", namespace=namespace, target=target)


def there(cluster: ControlPlane, namespace: str) -> list[str]:
    """Kinds of the gateway's objects that exist."""
    found = []
    for kind in FOLDERS:
        listed = cluster.api.get(path_of(kind, namespace))["items"]
        found += [kind for item in listed if item["metadata"]["name"] == ENTRY]
    return found


def test_a_policys_gateway_from_its_making_to_its_end(
    home: Home, crds: ControlPlane, hub: ClusterHub, namespace: str, tmp_path: Path
) -> None:
    """Four objects and a URL; `Programmed` by its pods' own words; gone with the policy."""
    allow_gateways(home, namespace)
    kubectl = crds.kubectl.within(namespace)
    arguments = ("--gateway-namespaces", namespace, "--sidecar-image", "example.com/sidecar:1")
    with controller(home, hub, tmp_path / "replica", *arguments) as replica:
        eventually(replica.leads, within_s=30)
        kubectl.apply(pool(namespace=namespace), entry(namespace))
        eventually(lambda: there(crds, namespace) == list(FOLDERS), WITHIN_S)
        wanted = ("False", "EntryNotReady")
        eventually(lambda: verdict(crds, namespace, POLICY, "Programmed") == wanted, WITHIN_S)
        target = hub.tables[(namespace, "partners")]["target"]
        assert target["gateway"] == "policy/partners"
        told = {"url": f"https://{ENTRY}.{namespace}.svc/v1", "ready": "0/2"}
        assert status(crds, namespace, POLICY)["gateway"] == told
        assert told["url"] in kubectl("get", "rpol")
        uid = pod(crds, namespace, "entry-1", labels={"pointsman.dev/gateway": "policy.partners"})
        digest = hub.digest(namespace, "partners")
        more = {"namespace": namespace, "pod": "entry-1", "digest": digest}
        hub.report(uid, gateway="policy/partners", **more)
        ready = ("True", "Programmed")
        eventually(lambda: verdict(crds, namespace, POLICY, "Programmed") == ready, WITHIN_S)
        assert status(crds, namespace, POLICY)["gateway"]["ready"] == "1/2"
        kubectl.apply(entry(namespace, replicas=3))
        eventually(partial(_has_replicas, crds, namespace, 3), WITHIN_S)
        kubectl("delete", "rpol", "partners")
        eventually(lambda: there(crds, namespace) == [], WITHIN_S)


def test_a_namespace_that_is_not_listed_gets_no_gateway_and_is_told(
    home: Home, crds: ControlPlane, hub: ClusterHub, namespace: str, tmp_path: Path
) -> None:
    """The condition names the chart's value; there is no URL that leads nowhere."""
    with controller(home, hub, tmp_path / "replica") as replica:
        eventually(replica.leads, within_s=30)
        crds.kubectl.apply(pool(namespace=namespace), entry(namespace))
        wanted = ("False", "GatewayNamespaceNotAllowed")
        eventually(lambda: verdict(crds, namespace, POLICY, "Ready") == wanted, WITHIN_S)
        assert "gateway" not in status(crds, namespace, POLICY)
        assert there(crds, namespace) == []


def _has_replicas(cluster: ControlPlane, namespace: str, count: int) -> bool:
    found = cluster.api.get(path_of("Deployment", namespace, ENTRY))
    return bool(found["spec"]["replicas"] == count)
