"""The sidecars as the hub tells of them: all at first, then what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pointsman_operator.controller.observed import Sidecar, read_sidecar


@dataclass(frozen=True)
class FleetNews:
    """An answer of `GET /v1/fleet`."""

    whole: bool
    """There are no others."""
    sidecars: tuple[Sidecar, ...]
    gone: tuple[tuple[str, str], ...]
    """Pod UID and boot."""


def read_fleet(document: Mapping[str, Any]) -> FleetNews:
    """The answer's document; a hub of before tells of all each time."""
    return FleetNews(
        whole=bool(document.get("whole", True)),
        sidecars=tuple(map(read_sidecar, document["sidecars"])),
        gone=tuple((str(uid), str(boot)) for uid, boot in document.get("gone") or ()),
    )


class Fleet:
    """Of each pod all engine starts that the hub knows, and the one that counts."""

    def __init__(self) -> None:
        self.sidecars: dict[str, Sidecar] = {}
        """By pod UID; of several starts the connected one, else the one heard of last."""
        self._starts: dict[str, tuple[Sidecar, ...]] = {}

    def take(self, news: FleetNews) -> frozenset[str]:
        """The namespaces in which something changed; the time of a report alone is no change."""
        touched = {it.uid for it in news.sidecars} | {uid for uid, _ in news.gone}
        if news.whole:
            touched |= self._starts.keys()
            self._starts = {}
        for uid, boot in news.gone:
            self._starts[uid] = tuple(it for it in self._starts.get(uid, ()) if it.boot != boot)
        for found in news.sidecars:
            others = (it for it in self._starts.get(found.uid, ()) if it.boot != found.boot)
            self._starts[found.uid] = (*others, found)
        return frozenset(namespace for uid in touched for namespace in self._judge(uid))

    def _judge(self, uid: str) -> Iterable[str]:
        """See which start counts now; the namespaces that this concerns."""
        before, starts = self.sidecars.get(uid), self._starts.get(uid, ())
        if not starts:
            self._starts.pop(uid, None)
            self.sidecars.pop(uid, None)
            return () if before is None else (before.namespace,)
        now = self.sidecars[uid] = max(reversed(starts), key=lambda it: (it.connected, it.seen_at))
        if before is None:
            return (now.namespace,)
        if before == now or replace(before, seen_at="") == replace(now, seen_at=""):
            return ()
        return before.namespace, now.namespace
