"""Pods, namespaces and settings for tests of injection, as the API server would send them."""

from __future__ import annotations

import copy
from typing import Any

from pointsman_operator.inject import Namespace, PodOutcome, Settings, inject_pod
from support.json_patch import apply_patch

SETTINGS = Settings(
    image="registry.example/pointsman-sidecar:1.2.3",
    version="1.2.3",
    hub_url="https://pointsman-hub.pointsman.svc:443",
    hub_ca="-----BEGIN CERTIFICATE-----\nbundle\n-----END CERTIFICATE-----\n",
)
ENABLED = Namespace("shop", "enabled")


def pod(
    *containers: dict[str, Any],
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    init: tuple[dict[str, Any], ...] = (),
    **spec: Any,
) -> dict[str, Any]:
    """A pod of a Deployment called `support`."""
    own = {"app": "support", "pod-template-hash": "5d9f8c7b6"}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "support-5d9f8c7b6",
        "uid": "u",
        "controller": True,
    }
    metadata: dict[str, Any] = {
        "generateName": "support-5d9f8c7b6-",
        "namespace": "shop",
        "labels": own | (labels or {}),
        "ownerReferences": [owner],
    }
    if annotations:
        metadata["annotations"] = annotations
    body: dict[str, Any] = {"containers": list(containers) or [app()], **spec}
    if init:
        body["initContainers"] = list(init)
    return copy.deepcopy({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body})


def app(name: str = "app", **more: Any) -> dict[str, Any]:
    """A container of the user's."""
    return {"name": name, "image": "example/app:1", **more}


def sized(name: str = "app", *, cpu: str = "1", memory: str = "1Gi") -> dict[str, Any]:
    """A container whose requests are its limits."""
    amounts = {"cpu": cpu, "memory": memory}
    return app(name, resources={"requests": amounts, "limits": dict(amounts)})


def injected(
    submitted: dict[str, Any], namespace: Namespace = ENABLED, settings: Settings = SETTINGS
) -> tuple[dict[str, Any], PodOutcome]:
    """The pod after the webhook's patch, and the outcome."""
    outcome = inject_pod(submitted, namespace, settings)
    return apply_patch(submitted, outcome.patch), outcome


def sidecar_of(made: dict[str, Any]) -> dict[str, Any]:
    """Our container in a pod."""
    found = [it for it in made["spec"]["initContainers"] if it["name"] == "pointsman"]
    assert len(found) == 1
    container: dict[str, Any] = found[0]
    return container


def environment(container: dict[str, Any]) -> dict[str, Any]:
    """A container's variables with plain values."""
    return {it["name"]: it.get("value") for it in container.get("env", [])}
