"""What the end of an installation leaves in users' namespaces: nothing of ours but resources."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from support.cluster_hub import cluster_hub
from support.controllers import controller, make_home, make_uninstaller
from support.eventually import eventually
from support.resources import policy, pool, rule
from support.resources_in_cluster import API, config_map, envelope

pytestmark = pytest.mark.timeout(120)


def test_uninstalling_removes_what_we_made_and_nothing_else(
    crds: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """ConfigMaps, bundle and Lease go, once the controller has ended; resources, Secrets stay."""
    home = make_home(crds)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    hook = make_uninstaller(home)
    command = [sys.executable, "-m", "pointsman_operator.controller", "--uninstall"]
    command += ["--namespace", home.namespace, "--kubeconfig", str(hook.kubeconfig)]
    command += ["--namespaces", namespace]
    with (
        cluster_hub() as hub,
        controller(home, hub, tmp_path / "replica", "--namespaces", namespace) as replica,
    ):
        eventually(partial(envelope, crds, namespace, "support"), within_s=30)
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            # It waits for the Lease: what a running controller keeps would only come back.
            assert replica.leads()
            assert config_map(crds, namespace)
            assert replica.stop() == 0
            _, told = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 0, told
    assert not config_map(crds, namespace)
    for path in (
        f"/api/v1/namespaces/{home.namespace}/configmaps/pointsman-ca",
        f"/apis/coordination.k8s.io/v1/namespaces/{home.namespace}/leases/pointsman-controller",
    ):
        with pytest.raises(RefusedError, match="not found"):
            crds.api.get(path)
    crds.api.get(f"{API}/{namespace}/routingpolicies/support")
    crds.api.get(f"/api/v1/namespaces/{home.namespace}/secrets/pointsman-ca")
    user = f"system:serviceaccount:{home.namespace}:pointsman-uninstall"
    assert crds.audit().forbidden(user) == set()
