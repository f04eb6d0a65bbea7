"""The server's own lists against what kopf has told: at the start, and twice a minute.

It finds what was deleted while nobody watched, and what a frozen watch keeps to itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import Any

from pointsman_operator.api.kinds import KINDS, Kind
from pointsman_operator.api.meta import API_VERSION, GROUP, VERSION, ObjectRef
from pointsman_operator.controller import limits
from pointsman_operator.controller.metrics import Metrics
from pointsman_operator.controller.reconcile import Reconciler
from pointsman_operator.controller.world import World
from pointsman_operator.kube import limits as kube_limits
from pointsman_operator.kube.api import JSON, Api, ApiError
from pointsman_operator.kube.metadata import METADATA

_log = logging.getLogger(__name__)


class Comparison:
    """Knows what was behind at the last look: behind twice is missed."""

    def __init__(
        self,
        api: Api,
        world: World,
        reconciler: Reconciler,
        metrics: Metrics,
        namespaces: Collection[str],
    ) -> None:
        self._api = api
        self._world = world
        self._reconciler = reconciler
        self._metrics = metrics
        self._namespaces = namespaces
        self._behind: set[tuple[ObjectRef, str]] = set()

    async def fill(self) -> None:
        """Take everything that there is, as often as it needs; the world is whole afterwards."""
        while True:
            try:
                for kind in KINDS:
                    own = {"apiVersion": API_VERSION, "kind": kind.name}
                    for path in self._paths(kind):
                        async for items, _ in self._pages(path, kube_limits.PAGE, JSON):
                            self._world.fill({**own, **item} for item in items)
            except ApiError as error:
                _log.warning("cannot list the resources yet: %s", error)
                await asyncio.sleep(kube_limits.RECONNECT_MOST_S / 5)
            else:
                return

    async def run(self) -> None:
        """Compare for ever."""
        while True:
            await asyncio.sleep(limits.RESYNC_S)
            try:
                await self.compare()
            except ApiError as error:
                _log.info("no comparison now: %s", error)

    async def compare(self) -> None:
        """One look at all three kinds."""
        behind: set[tuple[ObjectRef, str]] = set()
        for kind in KINDS:
            there: dict[ObjectRef, str] = {}
            as_of = 0
            for path in self._paths(kind):
                # Their versions are all that is compared, and all that is kept of a page.
                async for items, listed in self._pages(path, kube_limits.PAGE_COMPARED, METADATA):
                    as_of = max(as_of, listed)
                    there |= {_ref(kind, it): it["metadata"]["resourceVersion"] for it in items}
            for ref in [ref for ref in self._world.held if ref.kind == kind.name]:
                if ref not in there and int(self._world.held[ref].version) <= as_of:
                    _log.warning("%s was deleted unseen", ref)
                    self._metrics.missed.inc()
                    self._reconciler.edited(ref, self._world.drop(ref))
            for ref, version in there.items():
                known = self._world.held.get(ref)
                if known is None or int(known.version) < int(version):
                    behind.add((ref, version))
        for ref, _version in behind & self._behind:
            await self._fetch(ref)
        self._behind = behind

    async def _fetch(self, ref: ObjectRef) -> None:
        """Take a version ourselves that kopf has not told for half a minute."""
        plural = next(kind.plural for kind in KINDS if kind.name == ref.kind)
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{ref.namespace}/{plural}/{ref.name}"
        document = await self._api.get(path)
        self._metrics.missed.inc()
        _log.warning("%s changed unseen", ref)
        if document is not None:
            self._reconciler.edited(ref, self._world.take(document))

    def _paths(self, kind: Kind) -> Iterator[str]:
        if not self._namespaces:
            yield f"/apis/{GROUP}/{VERSION}/{kind.plural}"
        for namespace in self._namespaces:
            yield f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{kind.plural}"

    async def _pages(
        self, path: str, at_once: int, accept: str
    ) -> AsyncIterator[tuple[Sequence[Mapping[str, Any]], int]]:
        """All items, page by page, each with the version of the list."""
        query = {"limit": str(at_once)}
        while True:
            page = await self._api.get(path, query, accept)
            if page is None:
                raise ApiError(404, f"{path} is not served: are the CRDs installed?")
            # An empty list of metadata says null.
            yield page.get("items") or (), int(page["metadata"]["resourceVersion"])
            if not page["metadata"].get("continue"):
                return
            query["continue"] = page["metadata"]["continue"]


def _ref(kind: Kind, item: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef(kind.name, item["metadata"]["namespace"], item["metadata"]["name"])
