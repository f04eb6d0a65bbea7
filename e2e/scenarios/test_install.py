"""Install, apply three resources, annotate a Deployment: its calls are routed and paid for."""

from __future__ import annotations

import pytest

from harness import apps
from harness.installation import Installation
from harness.kubectl import Kubectl
from harness.provider import Provider
from support.eventually import eventually

pytestmark = pytest.mark.timeout(900)


def test_install_apply_annotate_and_the_app_gets_a_routed_answer(
    installed: Installation, restricted: str
) -> None:
    """The official SDK with environment variables only; `kubectl get bud` shows the cost."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    simulated.script({"do": {"outputTokens": 20_000}})
    kubectl.apply(apps.app())
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    key = "--from-literal=api-key=sk-test"
    kubectl("create", "secret", "generic", "pointsman-credentials", key)
    kubectl.apply(*apps.three(restricted, simulated.url))
    apps.annotate(kubectl)
    (line,) = apps.asked(kubectl)
    assert line.split()[1] == "sim-m0"
    cost = apps.cost(line)
    everything = ("mpool/main", "rpol/support", "bud/team")
    kubectl("wait", "--for=condition=Ready", *everything, "--timeout=180s")
    eventually(lambda: apps.spent(kubectl) == cost, apps.SPENT_WITHIN_S)
    assert f" {apps.spent(kubectl)} " in kubectl("get", "bud")
    assert simulated.stats()["requests"] == 1


def test_helm_test_tells_that_it_works(installed: Installation) -> None:
    """The command that NOTES names: hub well, a pod in dry run comes back with a router."""
    said = installed.test()
    assert "Phase:          Succeeded" in said
    assert "the hub is well" in said
    assert "gets its router" in said


def test_a_second_upgrade_changes_nothing_that_runs(installed: Installation) -> None:
    """The same values again: no pod is replaced, and webhooks keep the bundle they were given."""
    before = _pods(installed.kubectl), _bundles(installed.kubectl)
    installed.upgrade()
    installed.upgrade("--force-conflicts")
    assert (_pods(installed.kubectl), _bundles(installed.kubectl)) == before
    assert all(before[1])


def _pods(kubectl: Kubectl) -> str:
    return kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")


def _bundles(kubectl: Kubectl) -> list[str]:
    found = kubectl.json("get", "mutatingwebhookconfiguration", "pointsman")
    return [webhook["clientConfig"].get("caBundle", "") for webhook in found["webhooks"]]
