"""Provider keys: missing, created, rotated, while the sidecar runs on."""

from __future__ import annotations

from typing import Any

import pytest

from harness import apps
from harness.installation import Installation
from harness.kubectl import Kubectl, KubectlError
from harness.provider import Provider
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

SECRET = "pointsman-credentials"  # noqa: S105 - its name


def test_a_secret_that_is_missing_is_named_and_used_once_it_is_there_and_when_it_changes(
    installed: Installation, restricted: str
) -> None:
    """`SecretMissing` before; then answers, also with a rotated key; no container restarts."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    _take(simulated, "sk-one")
    pool, *others = apps.three(restricted, simulated.https_url)
    reference = {"name": SECRET, "key": "api-key"}
    pool["spec"]["models"][0]["provider"]["credential"] = {"secretRef": reference}
    kubectl.apply(pool, *others, apps.app())
    apps.annotate(kubectl)
    with pytest.raises(KubectlError, match="openai"):
        apps.chat(kubectl)
    eventually(lambda: "SecretMissing" in apps.explained(kubectl, "mpool/main"), 30)
    kubectl.apply(_secret("sk-one", simulated.host))
    eventually(lambda: _answered(kubectl), 60)
    eventually(lambda: "SecretMissing" not in apps.explained(kubectl, "mpool/main"), 30)
    _take(simulated, "sk-two")
    kubectl.apply(_secret("sk-two", simulated.host))
    eventually(lambda: _answered(kubectl), 60)
    (pod,) = apps.running(kubectl)
    router = apps.router(pod)
    assert router is not None
    assert router["restartCount"] == 0


def _take(simulated: Provider, key: str) -> None:
    """Let the provider accept one key."""
    right = {"match": {"header": {"authorization": f"Bearer {key}"}}, "do": {}}
    simulated.script(right, {"do": {"status": 401}})


def _secret(key: str, host: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": {"api-key": key, "allowed-hosts": host},
    }


def _answered(kubectl: Kubectl) -> bool:
    try:
        return apps.chat(kubectl) == ["sim-m0"]
    except KubectlError:
        return False
