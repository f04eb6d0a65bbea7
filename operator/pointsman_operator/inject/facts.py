"""What a decision is made from, beside the pod: its namespace and how we are installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""


@dataclass(frozen=True)
class Namespace:
    """What is known of a pod's namespace; unknown quotas and ranges count as none."""

    name: str
    injection: str = ""
    """The value of its label `pointsman.dev/injection`."""
    quotas: tuple[Document, ...] = ()
    """ResourceQuota objects."""
    limit_ranges: tuple[Document, ...] = ()
    """LimitRange objects."""


@dataclass(frozen=True)
class Settings:
    """How we are installed: the same for every pod."""

    image: str
    """The sidecar's image."""
    version: str
    """Ours, for the mark."""
    hub_url: str
    hub_ca: str = ""
    """PEM bundle of the hub's authority; empty: not made yet, the ConfigMap brings it."""
    pull_policy: str = "IfNotPresent"
    log_level: str = "INFO"
    otlp_endpoint: str = ""
    """Collector for sidecars' spans; empty: they make none."""
    otlp_sample_percent: str = "100"
