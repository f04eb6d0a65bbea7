"""What the controller may do, verb by verb, and where the hub looks for engines.

The chart's roles are made of this. Least privilege both ways: a test compares it with the audit log
of a run.
"""

from __future__ import annotations

from typing import Any

from pointsman_operator.api.kinds import KINDS
from pointsman_operator.api.meta import GROUP
from pointsman_operator.owned.tables_config_map import NAME

Rule = dict[str, Any]


def everywhere() -> list[Rule]:
    """In every namespace that is served: a ClusterRole, or a Role in each.

    ConfigMaps are listed and watched by their one name (`fieldSelector=metadata.name=pointsman`),
    pods and namespaces by their metadata only. There is no Secret and no workload here. An apply
    that makes the ConfigMap needs `create` too, and may be bound to the name.
    """
    plurals = [kind.plural for kind in KINDS]
    return [
        _rule(GROUP, plurals, ["get", "list", "watch"]),
        _rule(GROUP, [f"{plural}/status" for plural in plurals], ["patch"]),
        _rule("", ["pods"], ["list", "watch"]),
        _rule(
            "", ["configmaps"], ["get", "list", "watch", "create", "patch", "delete"], names=[NAME]
        ),
        _rule("events.k8s.io", ["events"], ["create"]),
    ]


def of_engines() -> list[Rule]:
    """What the hub reads to find self-hosted models, where pools may be.

    Slices and pods by label selector in a pool's namespace, a Service by its name: for the name of
    the port that the pool numbers. Pods are watched by the hub everywhere already, for callers.
    """
    return [
        _rule("discovery.k8s.io", ["endpointslices"], ["list", "watch"]),
        _rule("", ["services"], ["get"]),
    ]


def cluster_wide() -> list[Rule]:
    """Of the cluster itself: a ClusterRole, also where only some namespaces are served."""
    return [_rule("", ["namespaces"], ["list", "watch"])]


def of_webhooks(names: list[str]) -> list[Rule]:
    """The caBundle of our own webhooks, by name: a ClusterRole."""
    kind = "mutatingwebhookconfigurations"
    return [_rule("admissionregistration.k8s.io", [kind], ["get", "patch"], names=names)]


def of_gateways() -> list[Rule]:
    """In each namespace of `gatewayNamespaces`: a Role; no Secret and no Role is among the kinds.

    Names follow from pools and policies, so they cannot be bound to a list.
    """
    verbs = ["list", "create", "patch", "delete"]
    return [
        _rule("", ["serviceaccounts", "services"], verbs),
        _rule("apps", ["deployments"], verbs),
        _rule("policy", ["poddisruptionbudgets"], verbs),
    ]


def at_home(prefix: str) -> list[Rule]:
    """In the operator's own namespace: a Role. `create` of a Lease cannot be bound to a name."""
    secrets = [f"{prefix}-ca", f"{prefix}-hub-tls", f"{prefix}-injector-tls"]
    lease = "coordination.k8s.io"
    return [
        _rule("", ["secrets"], ["get", "update"], names=secrets),
        _rule("", ["configmaps"], ["get", "create", "patch"], names=[f"{prefix}-ca"]),
        _rule(lease, ["leases"], ["get", "update"], names=[f"{prefix}-controller"]),
        _rule(lease, ["leases"], ["create"]),
    ]


def _rule(
    group: str, resources: list[str], verbs: list[str], names: list[str] | None = None
) -> Rule:
    rule: Rule = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return rule | ({"resourceNames": names} if names else {})
