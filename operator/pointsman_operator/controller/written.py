"""The ConfigMaps as we left them, and whether a watch has said otherwise since.

While one is as we left it, an edit costs the API server one call, not two. Called by `publishing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman_operator.controller.held import newer

_METADATA = ("uid", "resourceVersion", "labels")
_KEPT = ("data", "binaryData", "immutable")


class Written:
    """By namespace."""

    def __init__(self) -> None:
        self._left: dict[str, dict[str, Any]] = {}
        self._noticed: dict[str, str | None] = {}
        """The version of which a watch told last; None: that it is gone, or that nobody knows."""

    def trusted(self, namespace: str) -> dict[str, Any] | None:
        """The ConfigMap as it is; None: it must be asked for."""
        left = self._left.get(namespace)
        if left is None or namespace not in self._noticed:
            return left
        seen = self._noticed[namespace]
        return None if seen is None or newer(seen, _version(left)) else left

    def version(self, namespace: str) -> str | None:
        """As which we left it; None: we did not write it."""
        left = self._left.get(namespace)
        return _version(left) if left is not None else None

    def keep(self, namespace: str, document: Mapping[str, Any]) -> None:
        """This is how it is now."""
        metadata = {key: it for key, it in document["metadata"].items() if key in _METADATA}
        rest = {key: document[key] for key in _KEPT if key in document}
        self._left[namespace] = {"metadata": metadata, **rest}

    def forget(self, namespace: str) -> None:
        """It is not ours any more."""
        self._left.pop(namespace, None)
        self._noticed.pop(namespace, None)

    def noticed(self, namespace: str, version: str | None) -> bool:
        """What a watch tells of it (None: it is gone); whether it may not be as we left it."""
        self._noticed[namespace] = version
        return version is None or version != self.version(namespace)

    def asked(self, namespace: str) -> None:
        """What was noticed before counts no more: the ConfigMap is being asked for."""
        self._noticed.pop(namespace, None)

    def doubt(self, namespace: str) -> None:
        """It may be otherwise, whatever the watch said."""
        self._noticed[namespace] = None

    def doubt_all(self) -> None:
        """Ask for each before the next write."""
        self._noticed = dict.fromkeys(self._left)


def _version(document: Mapping[str, Any]) -> str:
    return str(document["metadata"]["resourceVersion"])
