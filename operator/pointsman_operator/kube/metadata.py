"""Watches over objects' metadata: pods, namespaces, the ConfigMaps that we wrote.

The bodies stay on the server (PartialObjectMetadata). Called by the controller and the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman_operator.kube.watch import Kept, Key, Watch

__all__ = ["Key", "MetadataWatch"]


class MetadataWatch(Watch[Kept]):
    """One kind's metadata; `keep` is given an object's `metadata` alone."""

    accept_list = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    accept_one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

    def _kept_of(self, item: Mapping[str, Any]) -> Kept:
        return self._keep(item["metadata"])
