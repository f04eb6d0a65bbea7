"""The fixtures of the test cluster with its node."""

from __future__ import annotations

from harness.fixtures import cluster, restricted

__all__ = ["cluster", "restricted"]
