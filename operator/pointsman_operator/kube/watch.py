"""A watch of our own over one kind of objects: list, watch, resume, for ever.

Of each object only what `keep` returns is remembered. A list makes good what a watch has missed, so
an object that vanished meanwhile is told as gone. `metadata` asks for metadata only, `facts` and
`endpoints` for whole objects.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import httpx

from pointsman_operator.kube import limits

GONE = 410

Kept = TypeVar("Kept")
Key = tuple[str, str]
"""Namespace (empty for cluster-wide kinds) and name."""

_log = logging.getLogger(__name__)


class WatchBrokenError(Exception):
    """The server ended the watch with an error; `expired`: only a new list helps."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class Streaming(Protocol):
    """What makes clients for watches."""

    def streaming(self, silence_s: float = limits.SILENCE_S) -> httpx.AsyncClient:
        """A client whose reads fail after so much silence."""
        ...


class Watch(Generic[Kept]):
    """One kind's objects, kept as of now; changes are told as they come."""

    accept_list = accept_one = "application/json"
    """What the server is asked for."""

    def __init__(
        self,
        connection: Streaming,
        path: str,
        keep: Callable[[Mapping[str, Any]], Kept],
        changed: Callable[[Key, Kept | None], None],
        field_selector: str = "",
        silence_s: float = limits.SILENCE_S,
        label_selector: str = "",
    ) -> None:
        """`path` is the kind's, as in `/api/v1/pods`; `changed` is told None where one is gone."""
        self.path = path
        self.synced = asyncio.Event()
        self.tried = asyncio.Event()
        """The first list is complete, or has failed."""
        self.relists = 0
        self._connection = connection
        self._keep = keep
        self._changed = changed
        selectors = {"fieldSelector": field_selector, "labelSelector": label_selector}
        self._selector = {name: value for name, value in selectors.items() if value}
        self._silence_s = silence_s
        self._known: dict[Key, Kept] = {}
        self._heard_at: float | None = None

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._known)

    def kept(self) -> tuple[Kept, ...]:
        """Of all objects."""
        return tuple(self._known.values())

    def age_s(self) -> float:
        """Seconds since the server last said anything; 0 before it first did."""
        if self._heard_at is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._heard_at

    async def run(self) -> None:
        """Keep up for ever: list, watch, resume; list again only where resuming is impossible."""
        version = ""
        pause_s = limits.RECONNECT_FIRST_S
        while True:
            heard = self._heard_at
            try:
                async with self._connection.streaming(self._silence_s) as http:
                    version = version or await self._list(http)
                    version = await self._watch(http, version)
            except WatchBrokenError as error:
                version = "" if error.expired else version
                level = logging.INFO if error.expired else logging.WARNING
                _log.log(level, "watch of %s: %s", self.path, error)
            except (KeyError, TypeError, ValueError) as error:
                # What could not be read may have been a change: only a list makes it good.
                version = ""
                _log.warning("watch of %s: not understood: %r", self.path, error)
            except (httpx.HTTPError, OSError) as error:
                level = logging.INFO if self.synced.is_set() else logging.WARNING
                _log.log(level, "watch of %s: %r; resuming", self.path, error)
            self.tried.set()
            pause_s = (
                limits.RECONNECT_FIRST_S
                if self._heard_at != heard
                else min(pause_s * 2, limits.RECONNECT_MOST_S)
            )
            await asyncio.sleep(pause_s * random.uniform(0.7, 1.3))  # noqa: S311 - jitter

    async def _list(self, http: httpx.AsyncClient) -> str:
        """Take everything there is; the version to watch from."""
        self.relists += 1
        query: dict[str, str] = {"limit": str(limits.PAGE), **self._selector}
        seen: set[Key] = set()
        while True:
            answer = await http.get(self.path, params=query, headers={"accept": self.accept_list})
            if answer.is_error:
                raise _refused(answer.status_code, answer.text)
            page = answer.json()
            for item in page.get("items") or ():
                seen.add(self._take(item))
            self._heard()
            following = page["metadata"].get("continue")
            if not following:
                break
            query["continue"] = following
        for key in [key for key in self._known if key not in seen]:
            self._drop(key)
        self.synced.set()
        self.tried.set()
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
        async with http.stream(
            "GET", self.path, params=query, headers={"accept": self.accept_one}
        ) as answer:
            if answer.is_error:
                text = (await answer.aread()).decode(errors="replace")
                raise _refused(answer.status_code, text)
            self._heard()
            async for line in answer.aiter_lines():
                since = self._event(json.loads(line)) or since
                self._heard()
        return since

    def _event(self, event: Mapping[str, Any]) -> str:
        """One line of a watch; the version that it leads to."""
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise _refused(int(item.get("code", 0)), str(item.get("message", "")))
        metadata = item["metadata"]
        if kind == "DELETED":
            self._drop(_key(metadata))
        elif kind != "BOOKMARK":
            self._take(item)
        return str(metadata.get("resourceVersion", ""))

    def _take(self, item: Mapping[str, Any]) -> Key:
        key, kept = _key(item["metadata"]), self._kept_of(item)
        if self._known.get(key) != kept:
            self._known[key] = kept
            self._changed(key, kept)
        return key

    def _kept_of(self, item: Mapping[str, Any]) -> Kept:
        return self._keep(item)

    def _drop(self, key: Key) -> None:
        if self._known.pop(key, None) is not None:
            self._changed(key, None)

    def _heard(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()


def _key(metadata: Mapping[str, Any]) -> Key:
    return str(metadata.get("namespace", "")), str(metadata["name"])


def _refused(status: int, message: str) -> WatchBrokenError:
    return WatchBrokenError(f"{status} {message[:200]}", expired=status == GONE)
