"""Local volumes: folders that a pod's claim gets as it would get a disk of the node.

Nothing makes volumes here by itself, so a test that claims one says so before (`Cluster.volume`).
The claim may leave its class out, as charts do: there is a default one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.daemons import NODE

CLASS = "local"
SIZE = "10Gi"


def storage_class() -> dict[str, Any]:
    """The default class; a volume is chosen when a pod that wants it is scheduled."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": default},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def volume(name: str, folder: Path) -> dict[str, Any]:
    """A volume on the node, empty and root's, as provisioners hand them out."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": SIZE},
            "accessModes": ["ReadWriteOncePod"],
            "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def claim(name: str) -> dict[str, Any]:
    """A claim of a whole volume, as small as may be."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOncePod"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
