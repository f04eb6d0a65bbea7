"""A controller that serves fewer namespaces than the one before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.control_plane import ControlPlane
from support.cluster_hub import ClusterHub
from support.controllers import Home, controller
from support.eventually import eventually
from support.resources import policy, pool, rule
from support.resources_in_cluster import config_map

pytestmark = pytest.mark.timeout(180)


def test_a_namespace_that_is_served_no_more_leaves_the_hub_and_is_not_touched(
    crds: ControlPlane, namespace: str, home: Home, hub: ClusterHub, tmp_path: Path
) -> None:
    """Its table is withdrawn; its ConfigMap, where we may hold no rights now, is not asked for."""
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    with controller(home, hub, tmp_path / "wide"):
        eventually(lambda: hub.digest(namespace, "support") and config_map(crds, namespace))
    audit = crds.audit(from_now=True)
    with controller(home, hub, tmp_path / "narrow", "--namespaces", home.namespace) as narrow:
        eventually(narrow.leads, within_s=60)
        eventually(lambda: not hub.digest(namespace, "support"))
        eventually(lambda: narrow.metric("pointsman_controller_queue_depth") == 0)
    touched = {it for it in audit.used(home.user) if it.namespace == namespace}
    assert touched == set()
    assert config_map(crds, namespace)
