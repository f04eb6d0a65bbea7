"""Workloads for tests, as the pod security level `restricted` wants them; nothing is pulled."""

from __future__ import annotations

from typing import Any

from harness.images import NOBODY, REGISTRY

BUSYBOX = f"{REGISTRY}/busybox:1"
PYTHON = f"{REGISTRY}/python:3"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
"""Labels of a namespace that admits nothing less."""


def container(name: str, *command: str, image: str = BUSYBOX, **more: Any) -> dict[str, Any]:
    """A container without a privilege and with a read-only root."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "command": list(command),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        **more,
    }


def spec(*containers: dict[str, Any], grace_s: int = 1, **more: Any) -> dict[str, Any]:
    """A pod's spec; `restartPolicy: Always` on a container makes it a native sidecar."""
    sidecars = [each for each in containers if each.get("restartPolicy") == "Always"]
    return {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": grace_s,
        "containers": [each for each in containers if each not in sidecars],
        **({"initContainers": sidecars} if sidecars else {}),
        **more,
    }


def pod(name: str, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A bare pod, labelled `app: NAME`."""
    metadata = {"name": name, "labels": {"app": name}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec(*containers, **more),
    }


def deployment(
    name: str, *containers: dict[str, Any], replicas: int = 1, **more: Any
) -> dict[str, Any]:
    """A Deployment whose pods are labelled `app: NAME`."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec(*containers, **more)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }


def service(name: str, port: int, target: int) -> dict[str, Any]:
    """A Service in front of the pods labelled `app: NAME`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": target}]},
    }
