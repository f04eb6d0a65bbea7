"""Lives and deaths of pods and sidecars while calls run."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import apps, pods, sdk
from harness.installation import Installation
from harness.kubectl import Kubectl, KubectlError
from harness.provider import Provider
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

STREAMING = (apps.PROGRAMS / "streaming.py").read_text()
HOG = (apps.PROGRAMS / "hog.py").read_text()
STREAMS, GRACE_S = 5, 60
TOKENS, TOKENS_A_SECOND = 120, 15
"""Eight seconds a stream."""
LIMIT, MIB_TAKEN = "64Mi", "96"


def test_a_pod_deleted_under_streams_lets_those_finish_that_fit_its_grace_period(
    installed: Installation, restricted: str, tmp_path: Path
) -> None:
    """The sidecar outlives the app's container, whose last call is answered, and ends after it."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    slowly = {"outputTokens": TOKENS, "tokensPerSecond": TOKENS_A_SECOND}
    simulated.script({"do": slowly})
    kubectl.apply(*apps.three(restricted, simulated.url))
    kubectl.apply(_pod("streams", STREAMING, str(STREAMS), grace_s=GRACE_S))
    kubectl("wait", "--for=condition=Ready", "pod/streams", "--timeout=180s")
    said = tmp_path / "said"
    argv = kubectl.command("logs", "--follow", "streams", "--container=app")
    with said.open("w") as file:
        following = subprocess.Popen(argv, env=kubectl.environment(), stdout=file, stderr=file)
    eventually(lambda: "streaming" in said.read_text(), 60)
    simulated.script({"do": {}})
    kubectl("delete", "pod", "streams", f"--timeout={GRACE_S - 15}s")
    following.wait(timeout=30)
    told = said.read_text().splitlines()
    assert told == ["streaming", "told", *["stream stop"] * STREAMS, "after sim-m0"]


def test_a_sidecar_out_of_memory_returns_and_the_app_lives(
    installed: Installation, restricted: str
) -> None:
    """The kernel ends it at its container's limit; the app's container is not touched."""
    kubectl = installed.cluster.kubectl.within(restricted)
    kubectl.apply(*apps.three(restricted, Provider(installed.cluster, restricted).url))
    kubectl.apply(apps.asking(apps.app(), memory_limit=LIMIT, memory_request=LIMIT))
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    assert apps.chat(kubectl) == ["sim-m0"]
    with pytest.raises(KubectlError):
        kubectl.exec(apps.APP, "python3", "-c", HOG, MIB_TAKEN, container="pointsman")
    eventually(lambda: _ended(kubectl) == "OOMKilled", 60)
    eventually(lambda: apps.answered(kubectl), 60)
    (after,) = apps.running(kubectl)
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


def _ended(kubectl: Kubectl) -> str:
    """Why the sidecar's container ended last."""
    (pod,) = apps.running(kubectl)
    sidecar = apps.router(pod) or {}
    return str(sidecar.get("lastState", {}).get("terminated", {}).get("reason"))


def _pod(name: str, program: str, *arguments: str, grace_s: int) -> dict[str, Any]:
    """A bare pod that asks for a router; it runs a program with the SDK."""
    tmp = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - of the pod
    call = ("python3", "-uc", program, *arguments)
    runs = pods.container("app", *call, image=sdk.REFERENCE, volumeMounts=[tmp])
    made = pods.pod(name, runs, grace_s=grace_s, volumes=[{"name": "tmp", "emptyDir": {}}])
    made["metadata"]["labels"]["pointsman.dev/inject"] = "true"
    return made
