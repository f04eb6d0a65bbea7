"""What a pod's own containers ask for: their sums, and the quality of service class they make."""

from __future__ import annotations

from enum import StrEnum

from pointsman_operator.inject import quantity
from pointsman_operator.inject.facts import Document
from pointsman_operator.inject.objects import (
    MalformedError,
    containers,
    is_native_sidecar,
    items,
    part,
)

RESOURCES = ("cpu", "memory")
KINDS = ("requests", "limits")


class Class(StrEnum):
    """Kubernetes' quality of service classes."""

    GUARANTEED = "Guaranteed"
    BURSTABLE = "Burstable"
    BEST_EFFORT = "BestEffort"


def amount(container: Document, kind: str, resource: str) -> int | None:
    """Millicores or bytes; a request that is absent is its limit."""
    resources = part(container, "resources")
    written = part(resources, kind).get(resource)
    if written is None and kind == "requests":
        written = part(resources, "limits").get(resource)
    if written is None:
        return None
    return read(resource, written)


def read(resource: str, written: str | float) -> int:
    """A quantity of one resource as an integer; raises MalformedError."""
    try:
        return quantity.milli(written) if resource == "cpu" else quantity.whole(written)
    except ValueError as error:
        raise MalformedError(f"{resource}: {error}") from error


def show(resource: str, value: int) -> str:
    """As `read` reads it."""
    return quantity.show_milli(value) if resource == "cpu" else quantity.show_bytes(value)


def total(pod: Document, kind: str, resource: str) -> int:
    """What the scheduler counts: everything that runs at once, or the largest step before it."""
    spec = part(pod, "spec")
    beside, peak = 0, 0
    for container in items(spec, "initContainers"):
        own = amount(container, kind, resource) or 0
        if is_native_sidecar(container):
            beside += own
        else:
            peak = max(peak, beside + own)
    running = sum(amount(container, kind, resource) or 0 for container in items(spec, "containers"))
    return max(peak, beside + running)


def has_pod_level(pod: Document) -> bool:
    """Whether the pod as a whole has requests or limits, shared by its containers."""
    resources = part(part(pod, "spec"), "resources")
    return any(part(resources, kind) for kind in KINDS)


def class_of(pod: Document) -> Class:
    """The class that the pod's own containers make."""
    all_containers = containers(pod)
    limits = [amount(it, "limits", name) for it in all_containers for name in RESOURCES]
    requests = [amount(it, "requests", name) for it in all_containers for name in RESOURCES]
    if not any(limits) and not any(requests):
        return Class.BEST_EFFORT
    return Class.GUARANTEED if all(limits) and limits == requests else Class.BURSTABLE
