"""RFC 6902, as far as admission patches go: written from the RFC, not from our own patches."""

from __future__ import annotations

import copy
from typing import Any


def apply_patch(document: Any, operations: list[dict[str, Any]]) -> Any:
    """The document after the operations; raises where one does not apply."""
    whole = [copy.deepcopy(document)]
    for operation in operations:
        tokens = [
            token.replace("~1", "/").replace("~0", "~")
            for token in operation["path"].split("/")[1:]
        ]
        parent: Any = whole[0]
        for token in tokens[:-1]:
            parent = parent[int(token)] if isinstance(parent, list) else parent[token]
        _apply(parent, tokens[-1], operation)
    return whole[0]


def _apply(parent: Any, last: str, operation: dict[str, Any]) -> None:
    value = copy.deepcopy(operation.get("value"))
    match operation["op"], isinstance(parent, list):
        case "add", True:
            place = len(parent) if last == "-" else int(last)
            if place > len(parent):
                raise IndexError(operation["path"])
            parent.insert(place, value)
        case "add", False:
            parent[last] = value
        case "remove", True:
            del parent[int(last)]
        case "remove", False:
            del parent[last]
        case other:
            raise ValueError(other)
