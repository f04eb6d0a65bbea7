"""What changes under a running app: its policy, its providers, its Budget, its sidecar."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import apps
from harness.installation import Installation
from harness.kubectl import Kubectl, KubectlError
from harness.provider import Provider
from support import resources
from support.eventually import eventually
from support.money_world import say

pytestmark = pytest.mark.timeout(600)

EDIT_WITHIN_S = 2.0
CALLS, PAUSE_S = 150, 0.05


def test_a_policy_edit_reaches_every_sidecar_in_two_seconds_and_no_call_fails(
    installed: Installation, restricted: str, tmp_path: Path
) -> None:
    """Two pods call on and on; the edit turns the candidates round."""
    kubectl = installed.cluster.kubectl.within(restricted)
    first, second = (Provider(installed.cluster, restricted, name) for name in ("one", "two"))
    _start(kubectl, restricted, first, second, replicas=2)
    names = [each["metadata"]["name"] for each in apps.running(kubectl)]
    files = [tmp_path / name for name in names]
    calling = [apps.chatting(kubectl, file.name, file, CALLS, PAUSE_S) for file in files]
    eventually(lambda: all(" sim-m0 " in file.read_text() for file in files), 30)
    turned = resources.rule("all", "main/m1", "main/m0")
    kubectl.apply(resources.policy(turned, namespace=restricted))
    edited_at = time.time()
    for each, file in zip(calling, files, strict=True):
        assert each.wait(timeout=60) == 0, file.read_text()
        seen = [line.split()[:2] for line in file.read_text().splitlines()]
        assert len(seen) == CALLS
        changed_at = min(float(at) for at, model in seen if model == "sim-m1")
        say(f"an edit reached {file.name} after {changed_at - edited_at:.2f} s")
        assert changed_at - edited_at < EDIT_WITHIN_S


def test_a_provider_that_is_down_is_left_and_taken_again(
    installed: Installation, restricted: str
) -> None:
    """No call fails meanwhile; the pool's condition names it; it is used again when it is back."""
    kubectl = installed.cluster.kubectl.within(restricted)
    first, second = (Provider(installed.cluster, restricted, name) for name in ("one", "two"))
    _start(kubectl, restricted, first, second)
    assert apps.chat(kubectl) == ["sim-m0"]
    first.scale(0)
    assert set(apps.chat(kubectl, 20)) == {"sim-m1"}
    reachable = _condition(kubectl, "mpool/main", "ProvidersReachable")
    eventually(lambda: reachable()[0] == "False", 30)
    first.scale(1)
    eventually(lambda: apps.chat(kubectl) == ["sim-m0"], 60)
    eventually(lambda: reachable()[0] == "True", 30)


def test_an_exhausted_budget_is_a_native_error_and_a_condition(
    installed: Installation, restricted: str
) -> None:
    """The SDK raises what it raises for a provider's own quota; status says `Exhausted`."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    simulated.script({"do": {"outputTokens": 6_000}})
    _start(kubectl, restricted, simulated, amount="0.02")
    with pytest.raises(KubectlError) as raised:
        apps.chat(kubectl, 10)
    assert "openai.RateLimitError" in raised.value.output
    assert "team" in raised.value.output
    exhausted = _condition(kubectl, "bud/team", "Exhausted")
    eventually(lambda: exhausted()[0] == "True", 30)


def test_a_job_whose_only_call_comes_at_once_completes(
    installed: Installation, restricted: str
) -> None:
    """The sidecar starts before the app and ends after it."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    kubectl.apply(*apps.three(restricted, simulated.url))
    kubectl("wait", "--for=condition=Accepted", "rpol/support", "--timeout=30s")
    kubectl.apply(apps.job("once"))
    kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=180s")
    assert " sim-m0 " in kubectl.logs("job/once", "app")


def test_a_killed_sidecar_returns_and_the_app_lives(
    installed: Installation, restricted: str
) -> None:
    """The app's container is not touched; calls are answered again."""
    kubectl = installed.cluster.kubectl.within(restricted)
    _start(kubectl, restricted, Provider(installed.cluster, restricted))
    assert apps.chat(kubectl) == ["sim-m0"]
    (pod,) = apps.running(kubectl)
    installed.cluster.kill_container(restricted, pod["metadata"]["name"], "pointsman")
    eventually(lambda: apps.restarts(*apps.running(kubectl)) == 1, 60)
    eventually(lambda: apps.answered(kubectl), 60)
    (after,) = apps.running(kubectl)
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


def _start(
    kubectl: Kubectl, namespace: str, *simulated: Provider, replicas: int = 1, amount: str = "5"
) -> None:
    """An annotated app in front of some providers; its first call would be answered."""
    kubectl.apply(*apps.three(namespace, *(each.url for each in simulated), amount=amount))
    kubectl.apply(apps.app(replicas=replicas))
    apps.annotate(kubectl)
    ready = ("--for=condition=Ready", "rpol/support", "--timeout=180s")
    eventually(lambda: len(apps.running(kubectl)) == replicas, 30)
    kubectl("wait", *ready)


def _condition(kubectl: Kubectl, what: str, kind: str) -> Callable[[], tuple[str, str]]:
    return lambda: apps.condition(kubectl, what, kind)
