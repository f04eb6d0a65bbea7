"""Uninstall: what users own stays, what is ours goes; a new installation takes over."""

from __future__ import annotations

import pytest

from harness import apps, books
from harness.installation import CLAIM, HOME, RELEASE, Installation
from harness.kubectl import Kubectl
from harness.provider import Provider
from support import resources
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

KEPT = {f"secret/{RELEASE}-ca", f"persistentvolumeclaim/{CLAIM}"}
"""Sidecars that outlive an uninstallation trust the next one, and the ledger goes on."""
NOT_OURS = ("configmap/kube-root-ca.crt", "serviceaccount/default")


def test_uninstall_keeps_resources_and_leaves_nothing_else(
    installed: Installation, restricted: str
) -> None:
    """CRDs, resources, ledger and running apps stay; a reinstallation serves the same sidecars.

    A gateway is ours, and goes. What a pod that is gone has spent stays booked, and the call that
    was made meanwhile is booked afterwards.
    """
    installed.upgrade(gatewayNamespaces=[restricted])
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    simulated.script({"do": {"outputTokens": 100}})
    *routing, budget = apps.three(restricted, simulated.url)
    # An enforced Budget whose ledger is gone refuses, as it should; this app is to go on.
    budget["spec"]["enforcement"] = {"onLedgerUnavailable": "Allow"}
    target = {"gateway": {"replicas": 1}}
    rule = resources.rule("all", "main/m0")
    partners = resources.policy(rule, name="partners", namespace=restricted, target=target)
    kubectl.apply(*routing, partners, budget, apps.app())
    apps.annotate(kubectl)
    kubectl("wait", "--for=condition=Ready", "rpol/support", "--timeout=180s")
    eventually(lambda: len(apps.gateways(kubectl)) == 4, 60)
    (pod,) = apps.running(kubectl)
    kubectl.apply(apps.job("once", grace_s=30))
    kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=180s")
    eventually(lambda: books.of_file(installed, restricted).requests == 1, 60)
    once = books.of_file(installed, restricted)
    assert once.settled == once.cost > 0
    installed.uninstall()
    try:
        assert _count(kubectl, "mpool,rpol,bud") == 4
        assert apps.gateways(kubectl) == []
        assert "configmap/pointsman" not in kubectl("get", "configmaps", "-o", "name")
        assert _of_the_cluster(installed.kubectl) == set()
        eventually(lambda: _at_home(installed.kubectl) == KEPT, 60)
        (line,) = apps.asked(kubectl)
    finally:
        installed.install()
    eventually(lambda: apps.condition(kubectl, "rpol/support", "Programmed")[0] == "True", 120)
    assert [each["metadata"]["uid"] for each in apps.running(kubectl)] == [pod["metadata"]["uid"]]
    eventually(lambda: apps.spent(kubectl) == apps.cost(line, 2), apps.SPENT_WITHIN_S)
    twice = books.of_file(installed, restricted)
    assert twice.incarnation == once.incarnation
    assert (twice.requests, twice.settled) == (2, 2 * once.settled)


def _count(kubectl: Kubectl, kinds: str) -> int:
    return len(kubectl("get", kinds, "-o", "name").splitlines())


def _of_the_cluster(kubectl: Kubectl) -> set[str]:
    kinds = "clusterroles,clusterrolebindings,mutatingwebhookconfigurations"
    found = kubectl("get", kinds, "-o", "name").splitlines()
    return {name for name in found if "pointsman" in name}


def _at_home(kubectl: Kubectl) -> set[str]:
    kinds = (
        *("pods", "secrets", "configmaps", "services", "serviceaccounts", "leases", "jobs"),
        *("deployments", "statefulsets", "roles", "rolebindings", "networkpolicies"),
        *("poddisruptionbudgets", "persistentvolumeclaims"),
    )
    found = kubectl("-n", HOME, "get", ",".join(kinds), "-o", "name").splitlines()
    return {name for name in found if name not in NOT_OURS and not _of_people(name)}


def _of_people(name: str) -> bool:
    """A right that somebody was given here, to reach the hub."""
    return name.startswith(("role.", "rolebinding.")) and RELEASE not in name.partition("/")[2]
