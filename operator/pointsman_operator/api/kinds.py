"""The registry of kinds: everything that is generated or looked up by kind starts here."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_operator.api.budget import Budget, BudgetSpec, BudgetStatus
from pointsman_operator.api.meta import Status, Struct
from pointsman_operator.api.policy import RoutingPolicy, RoutingPolicySpec, RoutingPolicyStatus
from pointsman_operator.api.pool import ModelPool, ModelPoolSpec, ModelPoolStatus

AnyResource = ModelPool | RoutingPolicy | Budget


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    """0: always; 1: with `-o wide`."""


@dataclass(frozen=True)
class Kind:
    """A custom resource kind."""

    name: str
    plural: str
    short: str
    resource: type[AnyResource]
    spec: type[Struct]
    status: type[Status]
    columns: tuple[Column, ...]


_READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_REASON = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1)
_AGE = Column("Age", ".metadata.creationTimestamp", "date")

KINDS: tuple[Kind, ...] = (
    Kind(
        "ModelPool",
        "modelpools",
        "mpool",
        ModelPool,
        ModelPoolSpec,
        ModelPoolStatus,
        (
            Column("Models", ".status.models", "integer"),
            Column("Refused", ".status.refused", "integer"),
            Column("Policies", ".status.policies", "integer"),
            Column("Endpoints", ".status.endpoints"),
            _READY,
            _REASON,
            _AGE,
        ),
    ),
    Kind(
        "RoutingPolicy",
        "routingpolicies",
        "rpol",
        RoutingPolicy,
        RoutingPolicySpec,
        RoutingPolicyStatus,
        (
            Column("Injected", ".status.injected"),
            Column("Programmed", ".status.programmed"),
            Column("Gateway", ".status.gateway.url"),
            Column("Models", ".status.models", "integer", priority=1),
            Column("Rules", ".status.rules", "integer", priority=1),
            Column("Table", ".status.tableDigest", priority=1),
            _READY,
            _REASON,
            _AGE,
        ),
    ),
    Kind(
        "Budget",
        "budgets",
        "bud",
        Budget,
        BudgetSpec,
        BudgetStatus,
        (
            Column("Spent", ".status.worst.spent"),
            Column("Left", ".status.worst.remaining"),
            Column("Used%", ".status.worst.percent", "integer"),
            Column("Action", ".status.action"),
            Column("Resets", ".status.worst.resetsAt"),
            Column("Mode", ".spec.enforcement.mode", priority=1),
            _READY,
            _REASON,
            _AGE,
        ),
    ),
)
"""All kinds."""

BY_KIND = {kind.name: kind for kind in KINDS}
"""Kinds by name."""
