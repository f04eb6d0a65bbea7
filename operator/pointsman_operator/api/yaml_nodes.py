"""YAML with places: which line a field path is on, and keys that are set twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from pointsman_operator.api.problems import Location

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class DocumentLoader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: dates stay strings."""

    @classmethod
    def value_of(cls, node: yaml.Node) -> Any:
        """The plain value of a composed document."""
        return cls("").construct_document(node)


DocumentLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Places:
    """Where the fields of one document are."""

    def __init__(self, file: str, root: yaml.Node) -> None:
        """Keep the document's node tree; `file` is what locations will say."""
        self._file = file
        self._root = root

    def of(self, path: str) -> Location:
        """The place of `spec.models[0].tier`, or of the nearest enclosing field that exists."""
        node, line = self._root, self._root.start_mark.line
        for match in _STEP.finditer(path):
            found = _child(node, match.group(1), match.group(2))
            if found is None:
                break
            node, line = found
        return Location(self._file, line + 1)


def expanded_size(root: yaml.Node) -> int:
    """Values in a document once every alias is written out.

    Raises RecursionError on one that holds itself.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            message = "an alias refers to what holds it"
            raise RecursionError(message)
        if id(node) not in sizes:
            open_nodes.add(id(node))
            inner: list[yaml.Node] = []
            if isinstance(node, yaml.MappingNode):
                inner = [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                inner = node.value
            sizes[id(node)] = 1 + sum(map(size, inner))
            open_nodes.remove(id(node))
        return sizes[id(node)]

    return size(root)


def repeated_keys(node: yaml.Node, path: str = "") -> Iterator[tuple[str, int]]:
    """Field path and line (from 1) of every key that its mapping already has."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from repeated_keys(item, f"{path}[{index}]")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        here = f"{path}.{key.value}" if path else str(key.value)
        if key.value in seen:
            yield here, key.start_mark.line + 1
        seen.add(key.value)
        yield from repeated_keys(value, here)


def _child(node: yaml.Node, key: str | None, index: str | None) -> tuple[yaml.Node, int] | None:
    if key is not None and isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return value, name.start_mark.line
    if index is not None and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
        item = node.value[int(index)]
        return item, item.start_mark.line
    return None
