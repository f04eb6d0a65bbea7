"""Which policy serves a workload: higher priority, then the older, then the name.

A policy with a gateway of its own serves callers outside pods only: it takes part in none of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.problems import Problem
from pointsman_operator.compile import problems
from pointsman_operator.compile.snapshot import Snapshot

_NEWEST = "9999"
"""Sorts objects without a time of creation behind all that have one."""


def precedence(policy: RoutingPolicy) -> tuple[int, str, str]:
    """The sort key: the smallest serves."""
    created = policy.metadata.creation_timestamp or _NEWEST
    return (-policy.spec.priority, created, policy.metadata.name)


def labels_of(policy: RoutingPolicy) -> Mapping[str, str]:
    """The labels that a policy asks for; none: every workload of its namespace."""
    selector = policy.spec.target.selector
    return selector.match_labels if selector else {}


def selects_pods(policy: RoutingPolicy) -> bool:
    """Whether it serves workloads of its namespace."""
    return policy.spec.target.gateway is None


def target_of(policy: RoutingPolicy) -> dict[str, Any]:
    """Whom a policy's table serves: its own gateway, or pods.

    Of those the smallest `order` whose labels a pod has all of.
    """
    if not selects_pods(policy):
        gateway = f"policy/{policy.metadata.name}"
        return {"gateway": gateway, "labels": {}, "order": list(precedence(policy))}
    return {"labels": dict(sorted(labels_of(policy).items())), "order": list(precedence(policy))}


def serving_policy(
    snapshot: Snapshot, namespace: str, labels: Mapping[str, str]
) -> ObjectName | None:
    """The policy that serves a workload with these labels; None where no policy selects it."""
    chosen = [
        policy
        for policy in snapshot.policies_by_namespace.get(namespace, ())
        if selects_pods(policy) and labels_of(policy).items() <= labels.items()
    ]
    return min(chosen, key=precedence).object_name if chosen else None


def conflicts(snapshot: Snapshot, policy: RoutingPolicy) -> list[Problem]:
    """What other policies take from this one: all that it selects, or a part by more labels."""
    if not selects_pods(policy):
        return []
    own = labels_of(policy).items()
    found = []
    for other in filter(selects_pods, snapshot.policies_by_namespace[policy.metadata.namespace]):
        if other is policy or precedence(other) > precedence(policy):
            continue
        theirs = labels_of(other).items()
        if theirs <= own:
            found.append(problems.conflicted(policy.ref, other.object_name, wholly=True))
        elif own <= theirs and policy.spec.priority == other.spec.priority:
            # Narrower and of higher priority is an exception on purpose; of equal, an accident.
            found.append(problems.conflicted(policy.ref, other.object_name, wholly=False))
    return found
