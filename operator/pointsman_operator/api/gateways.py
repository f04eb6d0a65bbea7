"""Where a gateway is and what it is called (docs/contracts-kubernetes.md 6): one rule for all."""

from __future__ import annotations

import hashlib
from typing import Literal

from pointsman_operator.api import bounds
from pointsman_operator.api.meta import ObjectName

Kind = Literal["pool", "policy"]
"""Whose gateway it is: a ModelPool's, for pods; a RoutingPolicy's, for callers with API keys."""
PREFIXES = {"pool": "pointsman-gateway-", "policy": "pointsman-entry-"}
"""How the names of gateways' ServiceAccounts begin."""


def service_name(kind: Kind, name: str) -> str:
    """The name of its Service, Deployment and ServiceAccount: a DNS label, however long."""
    full = PREFIXES[kind] + name
    if len(full) <= bounds.NAME_LENGTH:
        return full
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{full[: bounds.NAME_LENGTH - 9].rstrip('-')}-{digest}"


def host(kind: Kind, name: ObjectName) -> str:
    """The host that its certificate names."""
    return f"{service_name(kind, name.name)}.{name.namespace}.svc"


def url(kind: Kind, name: ObjectName) -> str:
    """Where callers in the cluster find it."""
    return f"https://{host(kind, name)}"


def audience(pool: ObjectName) -> str:
    """Whom tickets for a pool's gateway are for."""
    return f"{pool.namespace}/{pool.name}"
