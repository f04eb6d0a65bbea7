"""Watches over objects' metadata: pods, namespaces, the ConfigMaps that we wrote.

The bodies stay on the server (PartialObjectMetadata). Called by the controller and the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman_operator.kube.watch import Kept, Key, Watch

__all__ = ["METADATA", "Key", "MetadataWatch"]

METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""What a list is asked for of which the metadata alone counts."""


class MetadataWatch(Watch[Kept]):
    """One kind's metadata; `keep` is given an object's `metadata` alone."""

    accept_list = METADATA
    accept_one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

    def _kept_of(self, item: Mapping[str, Any]) -> Kept:
        return self._keep(item["metadata"])
