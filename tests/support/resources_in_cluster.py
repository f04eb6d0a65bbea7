"""Our resources as a test cluster holds them: conditions, entries of ConfigMaps, pods."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from harness.api import RefusedError
from harness.control_plane import ControlPlane

API = "/apis/pointsman.dev/v1alpha1/namespaces"
INJECTED = {"pointsman.dev/inject": "true", "pointsman.dev/injected": "true"}


def status(cluster: ControlPlane, namespace: str, path: str) -> dict[str, Any]:
    """A resource's whole status; empty where it has none yet."""
    return dict(cluster.api.get(f"{API}/{namespace}/{path}").get("status") or {})


def condition(cluster: ControlPlane, namespace: str, path: str, kind: str) -> dict[str, Any]:
    """One condition of a resource; empty where it has none."""
    found = status(cluster, namespace, path).get("conditions", ())
    return next((dict(it) for it in found if it["type"] == kind), {})


def verdict(cluster: ControlPlane, namespace: str, path: str, kind: str) -> tuple[str, str]:
    """A condition's status and reason."""
    found = condition(cluster, namespace, path, kind)
    return found.get("status", ""), found.get("reason", "")


def config_map(cluster: ControlPlane, namespace: str) -> dict[str, Any]:
    """The namespace's ConfigMap; empty where there is none."""
    try:
        return cluster.api.get(f"/api/v1/namespaces/{namespace}/configmaps/pointsman")
    except RefusedError:
        return {}


def envelope(cluster: ControlPlane, namespace: str, name: str) -> dict[str, Any]:
    """A policy's entry of the namespace's ConfigMap; empty where there is none."""
    value = (config_map(cluster, namespace).get("binaryData") or {}).get(f"{name}.json.gz")
    return dict(json.loads(gzip.decompress(base64.b64decode(value)))) if value else {}


def pod(cluster: ControlPlane, namespace: str, name: str, **metadata: Any) -> str:
    """A pod that nothing runs; its UID."""
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    made = cluster.api.create(f"/api/v1/namespaces/{namespace}/pods", document)
    return str(made["metadata"]["uid"])
