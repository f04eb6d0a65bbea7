"""The injector is away: what happens is what the namespace's owner chose by its label."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness import pods
from harness.installation import Installation
from harness.kubectl import Kubectl, KubectlError
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)


def test_without_injector_enabled_namespaces_start_pods_without_a_router(
    installed: Installation, restricted: str
) -> None:
    """`enabled`: the app matters more; the next pod has its router when the injector is back."""
    kubectl = installed.cluster.kubectl.within(restricted)
    kubectl("label", "namespace", restricted, "pointsman.dev/injection=enabled")
    with _away(installed):
        kubectl.apply(_pod("during"))
        assert not _injected(kubectl, "during")
    kubectl.apply(_pod("after"))
    assert _injected(kubectl, "after")


def test_without_injector_required_namespaces_refuse_pods(
    installed: Installation, restricted: str
) -> None:
    """`required`: no pod without a router; the refusal names the webhook."""
    kubectl = installed.cluster.kubectl.within(restricted)
    kubectl("label", "namespace", restricted, "pointsman.dev/injection=required")
    with (
        _away(installed),
        pytest.raises(KubectlError, match=r"required\.pods\.pointsman\.dev"),
    ):
        kubectl.apply(_pod("during"))
    kubectl.apply(_pod("after"))
    assert _injected(kubectl, "after")


@contextmanager
def _away(installed: Installation) -> Iterator[None]:
    """No injector runs; at the end both are back and reached."""
    kubectl = installed.kubectl
    kubectl("scale", "deployment/pointsman-injector", "--replicas=0")
    selector = "app.kubernetes.io/component=injector"
    kubectl("wait", "--for=delete", "pod", "-l", selector, "--timeout=180s")
    try:
        yield
    finally:
        kubectl("scale", "deployment/pointsman-injector", "--replicas=2")
        kubectl("rollout", "status", "deployment/pointsman-injector", "--timeout=180s")
        probe = installed.cluster.kubectl.within("default")
        eventually(lambda: _reached(probe), 60)


def _reached(kubectl: Kubectl) -> bool:
    """Whether a pod in dry run gets its router."""
    asked = ("run", "probe", "--image=x", "--labels=pointsman.dev/inject=true")
    said = kubectl(*asked, "--dry-run=server", "-o", "jsonpath={.spec.initContainers[*].name}")
    return "pointsman" in said


def _pod(name: str) -> dict[str, object]:
    return pods.pod(name, pods.container("app", "sleep", "600"))


def _injected(kubectl: Kubectl, name: str) -> bool:
    pod = kubectl.json("get", "pod", name)
    return any(each["name"] == "pointsman" for each in pod["spec"].get("initContainers", ()))
