"""What the injector knows of namespaces: quotas, limit ranges, and the hub's bundle, all cached.

Kept by watches of whole objects; a question is answered from memory, so an API server that is slow
or away costs freshness and never a pod's start. Called by the injector.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pointsman_operator.inject import Namespace
from pointsman_operator.kube.watch import Key, Streaming, Watch


class ObjectWatch(Watch[Mapping[str, Any]]):
    """All objects of a path, as of the last that the server said."""

    def __init__(self, connection: Streaming, path: str, name: str = "") -> None:
        """`name` narrows it to one object, as a Role by resource name allows."""
        self._within: dict[str, dict[str, Mapping[str, Any]]] = {}
        named = f"metadata.name={name}" if name else ""
        super().__init__(connection, path, _without_managers, self._placed, named)

    def within(self, namespace: str) -> tuple[Mapping[str, Any], ...]:
        """The objects of one namespace."""
        return tuple(self._within.get(namespace, {}).values())

    def age_s(self) -> float:
        """Seconds since the server last spoke; infinite before it first did."""
        return super().age_s() if self.synced.is_set() else float("inf")

    def _placed(self, key: Key, item: Mapping[str, Any] | None) -> None:
        here = self._within.setdefault(key[0], {})
        if item is not None:
            here[key[1]] = item
            return
        here.pop(key[1], None)
        if not here:
            del self._within[key[0]]


class Facts:
    """Everything that the injector asks about, from memory."""

    def __init__(self, connection: Streaming, own_namespace: str, hub_ca: str) -> None:
        """`hub_ca` names the ConfigMap of our own namespace that holds the hub's bundle."""
        own = f"/api/v1/namespaces/{own_namespace}/configmaps"
        self._own_namespace = own_namespace
        self._quotas = ObjectWatch(connection, "/api/v1/resourcequotas")
        self._limit_ranges = ObjectWatch(connection, "/api/v1/limitranges")
        self._hub_ca = ObjectWatch(connection, own, hub_ca)

    @property
    def watches(self) -> tuple[ObjectWatch, ...]:
        """What is watched."""
        return (self._quotas, self._limit_ranges, self._hub_ca)

    def synced(self) -> bool:
        """Whether everything has been listed at least once."""
        return all(watch.synced.is_set() for watch in self.watches)

    def age_s(self) -> float:
        """Of the oldest answer."""
        return max(watch.age_s() for watch in self.watches)

    def namespace(self, name: str, injection: str) -> Namespace:
        """What is known now; `injection` is the label's value as the API server sees it."""
        return Namespace(
            name, injection, self._quotas.within(name), self._limit_ranges.within(name)
        )

    def hub_ca(self) -> str:
        """The hub's bundle, PEM; empty until the controller has made one."""
        for found in self._hub_ca.within(self._own_namespace):
            return str((found.get("data") or {}).get("ca.crt") or "")
        return ""

    async def run(self) -> None:
        """Keep up for ever."""
        await asyncio.gather(*(watch.run() for watch in self.watches))


def _without_managers(item: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {name: it for name, it in item["metadata"].items() if name != "managedFields"}
    return {**item, "metadata": metadata}
