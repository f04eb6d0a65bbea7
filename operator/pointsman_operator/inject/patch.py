"""From a pod as it is to a pod as wanted: the smallest JSON patch (RFC 6902) on what we touch.

Lists are compared by name. What the API server's defaults or another webhook added to a part of
ours counts as covered, so that a second call changes nothing.
"""

from __future__ import annotations

from typing import Any

from pointsman_operator.inject import names
from pointsman_operator.inject.facts import Document
from pointsman_operator.inject.objects import items, part

Operation = dict[str, Any]


def difference(actual: Document, wanted: Document) -> list[Operation]:
    """The operations, in an order in which they apply."""
    operations: list[Operation] = []
    for group, key in (
        ("labels", names.INJECTED),
        ("annotations", names.STATUS),
        ("annotations", names.NOT_INJECTED),
    ):
        operations += _entry(actual, wanted, group, key)
    here, there = part(actual, "spec"), part(wanted, "spec")
    # Environment first: its paths count init containers as they are now.
    for key in ("initContainers", "containers"):
        operations += _environments(here, there, key)
    operations += _sidecar(items(here, "initContainers"), items(there, "initContainers"), here)
    operations += _volumes(items(here, "volumes"), items(there, "volumes"), here)
    return operations


def covers(actual: Any, wanted: Any) -> bool:
    """Whether everything wanted is there; more may be."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return all(key in actual and covers(actual[key], value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(actual, list):
        return len(actual) >= len(wanted) and all(
            covers(*pair) for pair in zip(actual, wanted, strict=False)
        )
    return bool(actual == wanted)


def pointer(*steps: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _entry(actual: Document, wanted: Document, group: str, key: str) -> list[Operation]:
    """One label or annotation."""
    own = part(part(actual, "metadata"), group)
    value = part(part(wanted, "metadata"), group).get(key)
    path = pointer("metadata", group, key)
    if own.get(key) == value:
        return []
    if value is None:
        return [{"op": "remove", "path": path}]
    if not own:
        # The parent may have been made by an earlier operation: two of ours are annotations, but
        # a pod never has both marks.
        return [{"op": "add", "path": pointer("metadata", group), "value": {key: value}}]
    return [{"op": "add", "path": path, "value": value}]


def _environments(here: Document, there: Document, key: str) -> list[Operation]:
    wanted = {str(it.get("name")): it for it in items(there, key)}
    operations: list[Operation] = []
    for index, container in enumerate(items(here, key)):
        target = wanted.get(str(container.get("name")))
        if target is None or container.get("name") == names.CONTAINER:
            continue
        own, new = items(container, "env"), items(target, "env")
        had = {str(it.get("name")) for it in own}
        kept = {str(it.get("name")) for it in new}
        base = pointer("spec", key, index, "env")
        operations += [
            {"op": "remove", "path": f"{base}/{place}"}
            for place in reversed(range(len(own)))
            if str(own[place].get("name")) not in kept
        ]
        added = [it for it in new if str(it.get("name")) not in had]
        if added and container.get("env") is None:
            operations.append({"op": "add", "path": base, "value": added})
        else:
            operations += [{"op": "add", "path": f"{base}/-", "value": it} for it in added]
    return operations


def _sidecar(
    own: list[dict[str, Any]], wanted: list[dict[str, Any]], spec: Document
) -> list[Operation]:
    """Our init container, at its place."""
    now, then = _place(own), _place(wanted)
    if then is not None and now == then and covers(own[then], wanted[then]):
        return []
    base = pointer("spec", "initContainers")
    operations: list[Operation] = []
    if now is not None:
        operations.append({"op": "remove", "path": f"{base}/{now}"})
    if then is not None:
        if spec.get("initContainers") is None:
            operations.append({"op": "add", "path": base, "value": [wanted[then]]})
        else:
            operations.append({"op": "add", "path": f"{base}/{then}", "value": wanted[then]})
    return operations


def _place(containers: list[dict[str, Any]]) -> int | None:
    found = (i for i, it in enumerate(containers) if it.get("name") == names.CONTAINER)
    return next(found, None)


def _volumes(
    own: list[dict[str, Any]], wanted: list[dict[str, Any]], spec: Document
) -> list[Operation]:
    base = pointer("spec", "volumes")
    targets = {str(it.get("name")): it for it in wanted}
    operations: list[Operation] = []
    right = set()
    for place in reversed(range(len(own))):
        name = str(own[place].get("name"))
        if name in targets and covers(own[place], targets[name]):
            right.add(name)
        else:
            operations.append({"op": "remove", "path": f"{base}/{place}"})
    added = [it for name, it in targets.items() if name not in right]
    if added and spec.get("volumes") is None:
        operations.append({"op": "add", "path": base, "value": added})
    else:
        operations += [{"op": "add", "path": f"{base}/-", "value": it} for it in added]
    return operations
