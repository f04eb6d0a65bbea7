"""What the injector knows of namespaces: quotas, limit ranges, and the hub's bundle, all cached.

Kept by watches of whole objects; a question is answered from memory, so an API server that is slow
or away costs freshness and never a pod's start. Called by the injector.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from pointsman_operator.inject import Namespace
from pointsman_operator.kube import limits

_log = logging.getLogger(__name__)
GONE = 410
Key = tuple[str, str]
"""Namespace and name."""


class Streaming(Protocol):
    """What makes clients for watches."""

    def streaming(self, silence_s: float = limits.SILENCE_S) -> httpx.AsyncClient:
        """A client whose reads fail after so much silence."""
        ...


class WatchError(Exception):
    """The server refused or ended a watch; `expired`: only a new list helps."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message[:200]}")
        self.expired = status == GONE


class ObjectWatch:
    """All objects of a path, as of the last that the server said."""

    def __init__(self, connection: Streaming, path: str, name: str = "") -> None:
        """`name` narrows it to one object, as a Role by resource name allows."""
        self.path = path
        self.synced = asyncio.Event()
        self._connection = connection
        self._selector = {"fieldSelector": f"metadata.name={name}"} if name else {}
        self._objects: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._heard_at: float | None = None

    def within(self, namespace: str) -> tuple[Mapping[str, Any], ...]:
        """The objects of one namespace."""
        return tuple(self._objects.get(namespace, {}).values())

    def age_s(self) -> float:
        """Seconds since the server last spoke; bookmarks come every minute."""
        if self._heard_at is None:
            return float("inf")
        return asyncio.get_running_loop().time() - self._heard_at

    async def run(self) -> None:
        """Keep up for ever: list, watch, resume; list again only where resuming is impossible."""
        version = ""
        pause_s = limits.RECONNECT_FIRST_S
        while True:
            heard = self._heard_at
            try:
                async with self._connection.streaming(limits.SILENCE_S) as http:
                    version = version or await self._list(http)
                    while True:
                        version = await self._watch(http, version)
            except WatchError as error:
                version = "" if error.expired else version
                _log.warning("watch of %s: %s", self.path, error)
            except (httpx.HTTPError, OSError) as error:
                _log.info("watch of %s: %s; resuming", self.path, repr(error))
            except (KeyError, TypeError, ValueError) as error:
                version = ""
                _log.warning("watch of %s: not understood: %s", self.path, repr(error))
            again = self._heard_at != heard
            first, most = limits.RECONNECT_FIRST_S, limits.RECONNECT_MOST_S
            pause_s = first if again else min(pause_s * 2, most)
            await asyncio.sleep(pause_s * random.uniform(0.7, 1.3))  # noqa: S311 - jitter

    async def _list(self, http: httpx.AsyncClient) -> str:
        """Take everything there is; the version to watch from."""
        query = {"limit": str(limits.PAGE), **self._selector}
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        while True:
            answer = await http.get(self.path, params=query)
            if answer.is_error:
                raise WatchError(answer.status_code, answer.text)
            page = answer.json()
            for item in page.get("items") or ():
                _put(found, item)
            following = page["metadata"].get("continue")
            if not following:
                break
            query["continue"] = following
        self._objects = found
        self._heard()
        self.synced.set()
        return str(page["metadata"]["resourceVersion"])

    async def _watch(self, http: httpx.AsyncClient, since: str) -> str:
        """Follow until the server ends the watch; the version that it got to."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(limits.WATCH_S),
            **self._selector,
        }
        async with http.stream("GET", self.path, params=query) as answer:
            if answer.is_error:
                text = (await answer.aread()).decode(errors="replace")
                raise WatchError(answer.status_code, text)
            self._heard()
            async for line in answer.aiter_lines():
                since = self._event(json.loads(line)) or since
                self._heard()
        return since

    def _event(self, event: Mapping[str, Any]) -> str:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise WatchError(int(item.get("code", 0)), str(item.get("message", "")))
        if kind == "DELETED":
            namespace, name = _key(item)
            self._objects.get(namespace, {}).pop(name, None)
        elif kind != "BOOKMARK":
            _put(self._objects, item)
        return str(item["metadata"].get("resourceVersion", ""))

    def _heard(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()


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


def _key(item: Mapping[str, Any]) -> Key:
    return str(item["metadata"].get("namespace", "")), str(item["metadata"]["name"])


def _put(into: dict[str, dict[str, Mapping[str, Any]]], item: dict[str, Any]) -> None:
    namespace, name = _key(item)
    item["metadata"].pop("managedFields", None)
    into.setdefault(namespace, {})[name] = item
