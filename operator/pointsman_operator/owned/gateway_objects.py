"""The four objects of a gateway; pure builders, applied in this order."""

from __future__ import annotations

from typing import Any

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.owned.gateway import DATA_PORT, HTTPS_PORT, Gateway, Site
from pointsman_operator.owned.gateway_pod import pod_template

FOLDERS = {
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Service": ("/api/v1", "services"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
}
"""Where each kind is served: API and plural."""


def objects(gateway: Gateway, site: Site) -> list[dict[str, Any]]:
    """All that a gateway needs; what it may read of its namespace is mounted, so no Role."""
    return [
        service_account(gateway, site),
        deployment(gateway, site),
        service(gateway, site),
        disruption_budget(gateway, site),
    ]


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """The path of an object, or of all of its kind in a namespace."""
    api, plural = FOLDERS[kind]
    return f"{api}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def service_account(gateway: Gateway, site: Site) -> dict[str, Any]:
    """By its name the hub knows a gateway's pods; it has no right at the API server."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": gateway.metadata(site),
        "automountServiceAccountToken": False,
    }


def deployment(gateway: Gateway, site: Site) -> dict[str, Any]:
    """Its pods: a new one is ready before an old one leaves."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": gateway.metadata(site),
        "spec": {
            "replicas": gateway.replicas,
            "selector": {"matchLabels": gateway.selector()},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": pod_template(gateway, site),
        },
    }


def service(gateway: Gateway, site: Site) -> dict[str, Any]:
    """Where callers find it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": gateway.metadata(site),
        "spec": {
            "type": "ClusterIP",
            "selector": gateway.selector(),
            "ports": [
                {
                    "name": "https",
                    "port": HTTPS_PORT,
                    "targetPort": DATA_PORT,
                    "protocol": "TCP",
                    "appProtocol": "https",
                }
            ],
        },
    }


def disruption_budget(gateway: Gateway, site: Site) -> dict[str, Any]:
    """One pod at a time leaves for a node's maintenance."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": gateway.metadata(site),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": gateway.selector()}},
    }


def object_name(document: dict[str, Any]) -> ObjectName:
    """Namespace and name of one of them."""
    metadata = document["metadata"]
    return ObjectName(str(metadata["namespace"]), str(metadata["name"]))
