"""A pod without any part of ours: what every decision starts from, so that all are repeatable."""

from __future__ import annotations

import copy
from typing import Any

from pointsman_operator.inject import names
from pointsman_operator.inject.container import VOLUMES
from pointsman_operator.inject.facts import Document
from pointsman_operator.inject.objects import is_native_sidecar, items, metadata, part

OURS = {volume["name"] for volume in VOLUMES}


def is_injected(pod: Document) -> bool:
    """Whether our marks and our container are there: an earlier call's work, or a copy of it."""
    marked = metadata(pod, "labels").get(names.INJECTED) == "true"
    there = any(map(_is_sidecar, items(part(pod, "spec"), "initContainers")))
    return marked and there and names.STATUS in metadata(pod, "annotations")


def stripped(pod: Document) -> dict[str, Any]:
    """A copy without our parts; what bears our names in an unmarked pod is its author's.

    The environment stays: a value of ours and the same value of the author's look alike.
    """
    bare = copy.deepcopy(dict(pod))
    _forget(bare, "annotations", names.NOT_INJECTED)
    _forget(bare, "annotations", names.STATUS)
    _forget(bare, "labels", names.INJECTED)
    if not is_injected(pod):
        return bare
    spec = part(bare, "spec")
    _keep(
        spec, "initContainers", [it for it in items(spec, "initContainers") if not _is_sidecar(it)]
    )
    _keep(spec, "volumes", [it for it in items(spec, "volumes") if it.get("name") not in OURS])
    return bare


def _is_sidecar(container: Document) -> bool:
    return container.get("name") == names.CONTAINER and is_native_sidecar(container)


def _forget(pod: dict[str, Any], group: str, key: str) -> None:
    found = metadata(pod, group)
    if key in found:
        del found[key]
        if not found:
            del pod["metadata"][group]


def _keep(spec: dict[str, Any], key: str, kept: list[dict[str, Any]]) -> None:
    if kept:
        spec[key] = kept
    else:
        spec.pop(key, None)
