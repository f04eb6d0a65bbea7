"""What the API server will ask us: each pod once, never about the cluster's own or our own."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from pointsman_operator.inject.webhooks import service_client, webhook_configuration

MADE = webhook_configuration("pointsman", "own", {"a": "b"}, service_client("own", "injector"))
HOOKS = {hook["name"]: hook for hook in MADE["webhooks"]}


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Kubernetes' meaning of `matchExpressions`, for the two operators that we use."""
    return all(
        (labels.get(it["key"]) in it["values"]) is (it["operator"] == "In")
        for it in selector.get("matchExpressions", [])
    )


@pytest.mark.parametrize(
    ("injection", "inject"),
    list(
        product(
            [None, "enabled", "required", "disabled", "other"], [None, "true", "false", "other"]
        )
    ),
)
def test_each_pod_is_asked_about_at_most_once(injection: str | None, inject: str | None) -> None:
    """The classes are disjoint, and together they hold every pod that may want a sidecar."""
    space = {"kubernetes.io/metadata.name": "shop"}
    space |= {} if injection is None else {"pointsman.dev/injection": injection}
    labels = {} if inject is None else {"pointsman.dev/inject": inject}
    asked = [
        name.partition(".")[0]
        for name, hook in HOOKS.items()
        if "pods" in name
        and selected(hook["namespaceSelector"], space)
        and selected(hook["objectSelector"], labels)
    ]
    by_namespace = [injection] if injection in {"enabled", "required"} else []
    by_label = ["labelled"] if inject == "true" and not by_namespace else []
    assert asked == ([] if inject == "false" else by_namespace or by_label)


@pytest.mark.parametrize("name", ["kube-system", "own"])
def test_the_cluster_and_we_start_without_us(name: str) -> None:
    """A webhook that is down must not keep down what would bring it back."""
    space = {"kubernetes.io/metadata.name": name, "pointsman.dev/injection": "required"}
    assert not any(selected(hook["namespaceSelector"], space) for hook in HOOKS.values())


def test_only_required_namespaces_wait_for_us() -> None:
    """`Fail` where the owner asked for it; side effects none; no bundle to fight over."""
    policies = {name.partition(".")[0]: hook["failurePolicy"] for name, hook in HOOKS.items()}
    assert policies == {
        "enabled": "Ignore",
        "required": "Fail",
        "labelled": "Ignore",
        "workloads": "Ignore",
    }
    for hook in HOOKS.values():
        assert hook["sideEffects"] == "None"
        assert hook["reinvocationPolicy"] == "IfNeeded"
        assert hook["timeoutSeconds"] == 5
        assert set(hook["clientConfig"]) == {"service"}
