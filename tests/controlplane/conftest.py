"""The fixtures of the test cluster's control plane."""

from __future__ import annotations

from harness.fixtures import control_plane, crds, namespace

__all__ = ["control_plane", "crds", "namespace"]
