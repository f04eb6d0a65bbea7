"""Uninstall: what users own stays, what is ours goes; a new installation takes over."""

from __future__ import annotations

import pytest

from harness import apps
from harness.installation import HOME, RELEASE, Installation
from harness.kubectl import Kubectl
from harness.provider import Provider
from support import resources
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

KEPT = {f"secret/{RELEASE}-ca"}
"""Sidecars that outlive an uninstallation trust the next one. (The ledger's volume, too.)"""
NOT_OURS = ("configmap/kube-root-ca.crt", "serviceaccount/default")


def test_uninstall_keeps_resources_and_leaves_nothing_else(
    installed: Installation, restricted: str
) -> None:
    """CRDs, resources and running apps stay; a reinstallation serves the same sidecars.

    A gateway is ours, and goes.
    """
    installed.upgrade(gatewayNamespaces=[restricted])
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
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
    installed.uninstall()
    try:
        assert _count(kubectl, "mpool,rpol,bud") == 4
        assert apps.gateways(kubectl) == []
        assert "configmap/pointsman" not in kubectl("get", "configmaps", "-o", "name")
        assert _of_the_cluster(installed.kubectl) == set()
        eventually(lambda: _at_home(installed.kubectl) == KEPT, 60)
        assert apps.chat(kubectl) == ["sim-m0"]
    finally:
        installed.install()
    eventually(lambda: apps.condition(kubectl, "rpol/support", "Programmed")[0] == "True", 120)
    assert [each["metadata"]["uid"] for each in apps.running(kubectl)] == [pod["metadata"]["uid"]]


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
