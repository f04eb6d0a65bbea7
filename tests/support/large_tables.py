"""Policies whose tables are more than a namespace's ConfigMap takes."""

from __future__ import annotations

import random

from harness.control_plane import ControlPlane
from support.resources import policy, rule
from support.resources_in_cluster import API

NAMES = ("large-a", "large-b", "large-c", "large-d")
"""Without any one of these, the others fit."""


def apply_too_much(cluster: ControlPlane, namespace: str) -> tuple[str, ...]:
    """Apply them, behind any other policy; their names."""
    for name in NAMES:
        signals = [{"name": f"s{n}", "keywords": _words(f"{name}{n}")} for n in range(25)]
        document = policy(rule(), name=name, namespace=namespace, priority=-1, signals=signals)
        cluster.api.apply(f"{API}/{namespace}/routingpolicies/{name}", document, "test")
    return NAMES


def _words(seed: str) -> list[str]:
    """Sixty-four keywords of 250 characters that do not compress well."""
    made = random.Random(seed)
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    return ["".join(made.choices(alphabet, k=250)) for _ in range(64)]
