"""The value `namespaces`: those are served, all others untouched, by rights that end there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import apps
from harness.fixtures import fresh_namespace
from harness.installation import HOME, RELEASE, Installation
from harness.kubectl import Kubectl
from harness.pods import RESTRICTED
from harness.provider import Provider
from pointsman_operator.owned import permissions
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

ROLES = ("controller", "injector", "hub")
CLUSTER_ROLES = {f"clusterrole.rbac.authorization.k8s.io/{RELEASE}-{role}" for role in ROLES}
"""All that docs/operations.md tells of; with `namespaces` the controller's holds what is left."""


@pytest.fixture
def narrowed(installed: Installation, restricted: str) -> Iterator[Installation]:
    """Only one namespace is served, and nobody with wider rights runs any more."""
    with installed.cluster.excused():
        installed.upgrade(namespaces=[restricted])
        eventually(lambda: _controllers(installed.kubectl) == 2, 60)
    yield installed
    with installed.cluster.excused():
        installed.upgrade()
        eventually(lambda: _controllers(installed.kubectl) == 2, 60)


def test_with_a_list_of_namespaces_only_those_are_served(
    narrowed: Installation, restricted: str
) -> None:
    """One app is routed; in the other namespace nothing is injected, written or judged; no 403."""
    cluster = narrowed.cluster
    audit = cluster.audit(from_now=True)
    with fresh_namespace(cluster, "not-served", RESTRICTED) as elsewhere:
        served, foreign = (cluster.kubectl.within(name) for name in (restricted, elsewhere))
        simulated = Provider(cluster, restricted)
        served.apply(*apps.three(restricted, simulated.url), apps.app())
        foreign.apply(*apps.three(elsewhere, simulated.url), apps.app())
        foreign("rollout", "status", "deployment/app", "--timeout=180s")
        foreign("label", "namespace", elsewhere, "pointsman.dev/injection=required")
        for kubectl in (foreign, served):
            apps.annotate(kubectl)
        foreign("rollout", "restart", "deployment/app")
        served("wait", "--for=condition=Ready", "rpol/support", "bud/team", "--timeout=180s")
        assert apps.chat(served) == ["sim-m0"]
        foreign("rollout", "status", "deployment/app", "--timeout=180s")
        assert all(apps.router(pod) is None for pod in apps.running(foreign))
        assert "configmap/pointsman" not in foreign("get", "configmaps", "-o", "name")
        for resource in ("mpool/main", "rpol/support", "bud/team"):
            assert not foreign.json("get", resource).get("status"), resource
    for role in ROLES:
        assert audit.forbidden(f"system:serviceaccount:{HOME}:{RELEASE}-{role}") == set()
    _check_rights(narrowed.kubectl, restricted)


def _check_rights(kubectl: Kubectl, served: str) -> None:
    """Roles where there was a ClusterRole, and no ClusterRole that is not documented."""
    found = kubectl("get", "clusterroles", "-o", "name").splitlines()
    assert {name for name in found if f"/{RELEASE}" in name} == CLUSTER_ROLES
    left = kubectl.json("get", "clusterrole", f"{RELEASE}-controller")["rules"]
    wanted = [*permissions.cluster_wide(), *permissions.of_webhooks([RELEASE])]
    assert sorted(left, key=str) == sorted(wanted, key=str)
    role = kubectl.within(served).json("get", "role", f"{RELEASE}-served")
    assert len(role["rules"]) == len(permissions.everywhere())


def _controllers(kubectl: Kubectl) -> int:
    """How many pods of the controller there are, those on their way out included."""
    selector = "app.kubernetes.io/component=controller"
    return len(kubectl("get", "pods", "-l", selector, "-o", "name").splitlines())
