"""The webhook configuration that the chart installs: what the API server asks us, and when not to.

Pure. The selectors are disjoint, so a pod is asked about once a round. The CA bundle is left out:
the controller puts it in, and neither Helm nor server-side apply takes it away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pointsman_operator.inject import limits, names
from pointsman_operator.inject.facts import Document

PODS = "/mutate/pods"
WORKLOADS = "/mutate/workloads"
ENABLED, REQUIRED, LABELLED = "enabled", "required", "labelled"
MODES = (ENABLED, REQUIRED, LABELLED)
"""Last step of a pod webhook's path: how the API server found the pod, by labels as it knows
them; a cache of ours could only be older."""
NEVER = ("kube-system",)

_ANNOTATED = "{0}.metadata.?annotations[?'pointsman.dev/inject'].hasValue()"
_CHANGES = " || ".join(
    (
        _ANNOTATED.format("object"),
        f"(oldObject != null && {_ANNOTATED.format('oldObject')})",
    )
)
_UNOWNED = (
    "!object.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false))"
)
_NO_MIRROR = "!object.metadata.?annotations[?'kubernetes.io/config.mirror'].hasValue()"


def service_client(namespace: str, service: str) -> Callable[[str], Document]:
    """How the API server reaches us in a cluster, by path."""

    def client(path: str) -> Document:
        return {"service": {"namespace": namespace, "name": service, "path": path, "port": 443}}

    return client


def webhook_configuration(
    name: str,
    own_namespace: str,
    labels: Mapping[str, str],
    client: Callable[[str], Document],
) -> dict[str, Any]:
    """The MutatingWebhookConfiguration; `client` makes a path's `clientConfig`."""
    except_ours = {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": [*NEVER, own_namespace],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name, "labels": dict(labels)},
        "webhooks": [
            *(_pods(mode, except_ours, client(f"{PODS}/{mode}")) for mode in MODES),
            _workloads(except_ours, client(WORKLOADS)),
        ],
    }


def _pods(mode: str, except_ours: Document, client: Document) -> dict[str, Any]:
    if mode == LABELLED:
        spaces = {"operator": "NotIn", "values": [ENABLED, REQUIRED]}
        pods = {"key": names.INJECT, "operator": "In", "values": ["true"]}
    else:
        spaces = {"operator": "In", "values": [mode]}
        pods = {"key": names.INJECT, "operator": "NotIn", "values": ["false"]}
    return {
        **_webhook(f"{mode}.pods.pointsman.dev", client),
        # The namespace's owner chooses whether pods wait for us or start without a router.
        "failurePolicy": "Fail" if mode == REQUIRED else "Ignore",
        # A service mesh may join after us; its proxy belongs before ours.
        "reinvocationPolicy": "IfNeeded",
        "namespaceSelector": {
            "matchExpressions": [{"key": names.INJECTION, **spaces}, except_ours]
        },
        "objectSelector": {"matchExpressions": [pods]},
        "matchConditions": [{"name": "not-a-mirror-pod", "expression": _NO_MIRROR}],
        "rules": [_rule("", ["pods"], ["CREATE"])],
    }


def _workloads(except_ours: Document, client: Document) -> dict[str, Any]:
    return {
        **_webhook("workloads.pointsman.dev", client),
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "namespaceSelector": {"matchExpressions": [except_ours]},
        "objectSelector": {},
        "matchConditions": [
            {"name": "annotated", "expression": _CHANGES},
            {"name": "not-a-controllers", "expression": _UNOWNED},
        ],
        "rules": [
            _rule(
                "apps",
                ["deployments", "statefulsets", "daemonsets", "replicasets"],
                ["CREATE", "UPDATE"],
            ),
            _rule("batch", ["jobs", "cronjobs"], ["CREATE", "UPDATE"]),
        ],
    }


def _webhook(name: str, client: Document) -> dict[str, Any]:
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": client,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": limits.WEBHOOK_TIMEOUT_S,
    }


def _rule(group: str, resources: list[str], operations: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "resources": resources,
        "operations": operations,
        "scope": "Namespaced",
    }
