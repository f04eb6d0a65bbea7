"""From `kubectl apply` to the hub, the ConfigMap and the status."""

from __future__ import annotations

import base64
import gzip
import json
import time
from functools import partial
from typing import Any

import pytest

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from support.cluster_hub import ClusterHub
from support.controllers import ControllerProcess
from support.eventually import eventually
from support.resources import policy, pool, rule

pytestmark = pytest.mark.timeout(120)

API = "/apis/pointsman.dev/v1alpha1/namespaces"


def condition(cluster: ControlPlane, namespace: str, path: str, kind: str) -> dict[str, Any]:
    """One condition of a resource, empty where it has none."""
    status = cluster.api.get(f"{API}/{namespace}/{path}").get("status", {})
    return next((it for it in status.get("conditions", ()) if it["type"] == kind), {})


def envelope(cluster: ControlPlane, namespace: str, name: str) -> dict[str, Any]:
    """A policy's entry of the namespace's ConfigMap; empty where there is none."""
    try:
        found = cluster.api.get(f"/api/v1/namespaces/{namespace}/configmaps/pointsman")
    except RefusedError:
        return {}
    value = (found.get("binaryData") or {}).get(f"{name}.json.gz")
    return dict(json.loads(gzip.decompress(base64.b64decode(value)))) if value else {}


def _differs(hub: ClusterHub, namespace: str, digest: str) -> bool:
    return hub.digest(namespace, "support") != digest


def test_an_applied_policy_reaches_hub_config_map_and_status(
    crds: ControlPlane, namespace: str, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """The table lies at the hub and in the ConfigMap under one digest, and Ready says so."""
    eventually(replica.leads, within_s=30)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(lambda: hub.digest(namespace, "support"))
    eventually(
        lambda: (
            envelope(crds, namespace, "support").get("digest") == hub.digest(namespace, "support")
        )
    )
    kubectl = crds.kubectl.within(namespace)
    kubectl("wait", "--for=condition=Ready", "rpol/support", "mpool/main", "--timeout=20s")
    programmed = condition(crds, namespace, "routingpolicies/support", "Programmed")
    assert (programmed["status"], programmed["reason"]) == ("True", "NoPods")


def test_an_edit_reaches_hub_and_config_map_within_a_second(
    crds: ControlPlane, namespace: str, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """From the API server's answer to an edit to the table at the hub and in the namespace."""
    eventually(replica.leads, within_s=30)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(lambda: envelope(crds, namespace, "support"))
    took: list[float] = []
    for number in range(5):
        before = hub.digest(namespace, "support")
        edit = policy(rule(f"r{number}"), namespace=namespace)
        crds.api.merge(f"{API}/{namespace}/routingpolicies/support", {"spec": edit["spec"]})
        began = time.monotonic()
        eventually(partial(_differs, hub, namespace, before))
        eventually(
            lambda: (
                envelope(crds, namespace, "support")["digest"] == hub.digest(namespace, "support")
            )
        )
        took.append(time.monotonic() - began)
    assert min(took) <= 1.0, took
    assert sorted(took)[len(took) // 2] <= 1.0, took
