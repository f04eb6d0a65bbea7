"""Reading Kubernetes objects that strangers wrote: an absent or null part counts as empty."""

from __future__ import annotations

import re
from typing import Any

from pointsman_operator.inject import names
from pointsman_operator.inject.facts import Document

_SCHEDULE = re.compile(r"-[0-9]{8,10}$")


class MalformedError(ValueError):
    """Not the object that it claims to be; the API server's own validation says it better."""


def part(parent: Document, key: str) -> dict[str, Any]:
    """An object within an object."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError(f"{key} is not an object")
    return value


def items(parent: Document, key: str) -> list[dict[str, Any]]:
    """A list of objects within an object."""
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedError(f"{key} is not a list of objects")
    return value


def metadata(thing: Document, key: str) -> dict[str, Any]:
    """`labels` or `annotations`."""
    return part(part(thing, "metadata"), key)


def containers(pod: Document) -> list[dict[str, Any]]:
    """All containers that start with the pod, the init containers first."""
    spec = part(pod, "spec")
    return items(spec, "initContainers") + items(spec, "containers")


def is_apps(container: Document) -> bool:
    """Whether a container is the user's own: neither ours nor a service mesh's."""
    return container.get("name") != names.CONTAINER and container.get("name") not in names.MESH


def is_native_sidecar(container: Document) -> bool:
    """An init container that keeps running."""
    return container.get("restartPolicy") == "Always"


def controller(thing: Document) -> dict[str, Any]:
    """The owner reference that controls the object, or nothing."""
    for owner in items(part(thing, "metadata"), "ownerReferences"):
        if owner.get("controller") is True:
            return owner
    return {}


def workload_name(pod: Document) -> str:
    """How people call what the pod belongs to: as its Deployment, CronJob, … is called."""
    owner = controller(pod)
    name = str(owner.get("name", ""))
    match owner.get("kind"):
        case "ReplicaSet":
            digest = metadata(pod, "labels").get("pod-template-hash")
            return name.removesuffix(f"-{digest}") if digest else name
        case "Job":
            return _SCHEDULE.sub("", name)
        case None:
            own = part(pod, "metadata")
            return str(own.get("name") or str(own.get("generateName") or "").rstrip("-"))
        case _:
            return name
