"""A new leader has everything to look at; what a user edits meanwhile does not wait for that."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from harness.control_plane import ControlPlane
from support.cluster_hub import ClusterHub, cluster_hub
from support.controllers import controller, make_home
from support.eventually import eventually
from support.resources import policy, pool, rule
from support.resources_in_cluster import API, envelope

pytestmark = pytest.mark.timeout(180)
POLICIES = 200
"""Their statuses take the pace of calls some nine seconds."""
LEFT = 50
"""So many statuses are still to be told when the edit is out; a second of it is two dozen."""


def test_an_edit_goes_before_what_a_new_leader_catches_up(
    crds: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """Hub and ConfigMap have the edited table long before every status is told; then all are."""
    crds.api.create(f"{API}/{namespace}/modelpools", pool(namespace=namespace))
    for number in range(POLICIES):
        target = {"selector": {"matchLabels": {"app": f"app-{number}"}}}
        document = policy(rule(), name=f"p{number}", namespace=namespace, target=target)
        crds.api.create(f"{API}/{namespace}/routingpolicies", document)
    scope = ["--namespaces", namespace]
    with cluster_hub() as hub, controller(make_home(crds), hub, tmp_path / "new", *scope):
        eventually(lambda: _untold(crds, namespace) < POLICIES, within_s=60)
        before = hub.digest(namespace, "p7")
        edit = {"spec": {"rules": [rule("edited")]}}
        crds.api.merge(f"{API}/{namespace}/routingpolicies/p7", edit)
        eventually(partial(_out, crds, hub, namespace, before), within_s=30)
        assert _untold(crds, namespace) >= LEFT
        eventually(lambda: not _untold(crds, namespace), within_s=60)


def _untold(cluster: ControlPlane, namespace: str) -> int:
    """Policies without a status."""
    found = cluster.api.get(f"{API}/{namespace}/routingpolicies")["items"]
    return sum("status" not in it for it in found)


def _out(cluster: ControlPlane, hub: ClusterHub, namespace: str, before: str) -> bool:
    """Whether hub and ConfigMap hold one and the same new table."""
    there = hub.digest(namespace, "p7")
    return there not in {"", before} and envelope(cluster, namespace, "p7").get("digest") == there
