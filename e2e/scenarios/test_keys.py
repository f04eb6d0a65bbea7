"""Provider keys: missing, created, rotated, while the sidecar runs on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness import apps
from harness.cluster import KUBELET_REFRESH_S
from harness.installation import Installation
from harness.kubectl import Kubectl, KubectlError
from harness.provider import Provider
from support.eventually import eventually
from support.money_world import say

pytestmark = pytest.mark.timeout(600)

DEFAULT_REFRESH_S, ROTATED_WITHIN_S = 60, 120


def test_a_secret_that_is_missing_is_named_and_used_once_it_is_there_and_when_it_changes(
    installed: Installation, restricted: str
) -> None:
    """`SecretMissing` before; then answers, also with a rotated key; no container restarts."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    asks = _app_of(simulated, restricted)
    kubectl.apply(*asks)
    apps.annotate(kubectl)
    with pytest.raises(KubectlError, match="openai"):
        apps.chat(kubectl)
    eventually(lambda: "SecretMissing" in apps.explained(kubectl, "mpool/main"), 30)
    kubectl.apply(apps.credentials("sk-one", simulated.host))
    eventually(lambda: apps.answered(kubectl), 60)
    eventually(lambda: "SecretMissing" not in apps.explained(kubectl, "mpool/main"), 30)
    simulated.take("sk-two")
    kubectl.apply(apps.credentials("sk-two", simulated.host))
    eventually(lambda: apps.answered(kubectl), 60)
    _assert_never_restarted(kubectl)


def test_a_rotated_key_is_used_in_two_minutes_at_the_kubelets_defaults(
    installed: Installation, restricted: str
) -> None:
    """Mounted Secrets follow within a minute or so there; no container restarts."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    asks = _app_of(simulated, restricted)
    kubectl.apply(apps.credentials("sk-one", simulated.host), *asks)
    apps.annotate(kubectl)
    installed.cluster.refresh_every(DEFAULT_REFRESH_S)
    try:
        eventually(lambda: apps.answered(kubectl), 60)
        simulated.take("sk-two")
        kubectl.apply(apps.credentials("sk-two", simulated.host))
        began = time.monotonic()
        eventually(lambda: apps.answered(kubectl), ROTATED_WITHIN_S)
        say(f"the rotated key was used after {time.monotonic() - began:.0f} s")
    finally:
        installed.cluster.refresh_every(KUBELET_REFRESH_S)
    _assert_never_restarted(kubectl)


def _app_of(simulated: Provider, namespace: str) -> list[dict[str, Any]]:
    """Three resources and an app; the provider takes `sk-one`, the pool names its Secret."""
    simulated.take("sk-one")
    pool, *others = apps.three(namespace, simulated.https_url)
    pool["spec"]["models"] = [apps.keyed(model) for model in pool["spec"]["models"]]
    return [pool, *others, apps.app()]


def _assert_never_restarted(kubectl: Kubectl) -> None:
    (pod,) = apps.running(kubectl)
    router = apps.router(pod)
    assert router is not None
    assert router["restartCount"] == 0
