"""Which pods there are, by UID: kept by a metadata watch, asked at every token check."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pointsman_operator.kube import limits
from pointsman_operator.kube.connection import Connection
from pointsman_operator.kube.metadata import Key, MetadataWatch

RUNNING = "status.phase!=Succeeded,status.phase!=Failed"


class Presence:
    """Pods that exist and have not finished; `gone` is told of each that leaves, by UID."""

    def __init__(self, connection: Connection, gone: Callable[[str], None]) -> None:
        self._gone = gone
        self._by_name: dict[Key, str] = {}
        self._here: set[str] = set()
        self._left: OrderedDict[str, None] = OrderedDict()
        self._listed_by: float | None = None
        self.watch = MetadataWatch(connection, "/api/v1/pods", _uid, self._changed, RUNNING)

    async def listed(self) -> None:
        """Return once the pods were listed, or could not be, or soon after the start anyway."""
        if self.watch.tried.is_set():
            return
        loop = asyncio.get_running_loop()
        if self._listed_by is None:
            self._listed_by = loop.time() + limits.LISTED_WITHIN_S
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._listed_by):
                await self.watch.tried.wait()

    def is_here(self, uid: str) -> bool:
        """Whether the pod was seen and is still there."""
        return uid in self._here

    def is_gone(self, uid: str) -> bool:
        """Whether the pod was seen and is not there any more."""
        return uid in self._left

    def _changed(self, key: Key, uid: str | None) -> None:
        before = self._by_name.get(key)
        if before is not None and before != uid:
            # Also a pod of the same name that took the place of another, as a StatefulSet's does.
            self._forget(before)
        if uid is None:
            self._by_name.pop(key, None)
            return
        self._by_name[key] = uid
        self._here.add(uid)
        self._left.pop(uid, None)

    def _forget(self, uid: str) -> None:
        self._here.discard(uid)
        self._left[uid] = None
        if len(self._left) > limits.GONE_REMEMBERED:
            self._left.popitem(last=False)
        self._gone(uid)


def _uid(metadata: Mapping[str, Any]) -> str:
    return str(metadata["uid"])
