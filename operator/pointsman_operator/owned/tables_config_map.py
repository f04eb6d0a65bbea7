"""The ConfigMap `pointsman` of a workload namespace: the tables without the hub, and whom to trust.

Pure; the layout is docs/contracts-kubernetes.md 3. What the hub serves wins over it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman_operator.owned.marks import marks

NAME = "pointsman"
BUNDLE = "ca.crt"
SUFFIX = ".json.gz"
BYTES_MAX = 900 * 1024
"""etcd takes 1.5 MiB an object, the API server 1 MiB of a ConfigMap's data."""


@dataclass(frozen=True)
class Entry:
    """One policy's published table."""

    policy: str
    """Its name; the namespace is the ConfigMap's."""
    digest: str
    fence: Mapping[str, Any]
    target: Mapping[str, Any]
    table: bytes
    """Canonical."""

    def packed(self) -> str:
        """The entry's value: gzip of the envelope, in base64; equal for equal entries."""
        envelope = {
            "digest": self.digest,
            "fence": self.fence,
            "target": self.target,
            "table": base64.b64encode(gzip.compress(self.table, mtime=0)).decode(),
        }
        text = json.dumps(envelope, sort_keys=True, separators=(",", ":"))
        return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@dataclass(frozen=True)
class Envelope:
    """What an existing entry says of itself."""

    digest: str
    fence: Mapping[str, Any]
    target: Mapping[str, Any]


def tables_config_map(
    namespace: str, installation: str, bundle: str, packed: Mapping[str, str]
) -> dict[str, Any]:
    """The object; `packed` are the entries' values by policy name."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": namespace, "labels": marks(installation)},
        "data": {BUNDLE: bundle} if bundle else {},
        "binaryData": {policy + SUFFIX: value for policy, value in sorted(packed.items())},
    }


def size(document: Mapping[str, Any]) -> int:
    """Bytes that count against the bound: keys and values as they are stored."""
    data = sum(len(key) + len(value.encode()) for key, value in document["data"].items())
    packed = document["binaryData"].items()
    return data + sum(len(key) + len(base64.b64decode(value)) for key, value in packed)


def read_entry(value: str) -> Envelope | None:
    """An entry as it lies in a cluster; None where it is none, or not whole (any more)."""
    try:
        envelope = json.loads(gzip.decompress(base64.b64decode(value)))
        table = gzip.decompress(base64.b64decode(envelope["table"]))
        if "sha256:" + hashlib.sha256(table).hexdigest() != envelope["digest"]:
            return None
        return Envelope(str(envelope["digest"]), dict(envelope["fence"]), dict(envelope["target"]))
    except (ValueError, KeyError, TypeError, OSError, EOFError):
        return None
