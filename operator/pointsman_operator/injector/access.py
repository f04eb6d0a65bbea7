"""What the injector may do at the API server, exactly; the chart makes its roles of this.

It reads no Secret, no pod and no namespace, and writes nothing: what a namespace wants is told by
the API server itself, in the webhook's path.
"""

from __future__ import annotations

from typing import Any

CLUSTER_RULES: tuple[dict[str, Any], ...] = (
    {
        "apiGroups": [""],
        "resources": ["limitranges", "resourcequotas"],
        "verbs": ["list", "watch"],
    },
)
"""ClusterRole: what a sidecar's size must respect."""


def own_rules(hub_ca: str) -> tuple[dict[str, Any], ...]:
    """Role in our own namespace: the bundle that new pods are given."""
    return (
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [hub_ca],
            "verbs": ["list", "watch"],
        },
    )
