"""Everything around the controller goes away and comes back: API server, etcd's past, the hub."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from harness.control_plane import ControlPlane
from harness.fixtures import CRDS
from support.cluster_hub import ClusterHub, cluster_hub
from support.controllers import ControllerProcess, controller, make_home
from support.eventually import eventually
from support.resources import policy, pool, rule
from support.resources_in_cluster import INJECTED, envelope, pod, status, verdict

pytestmark = pytest.mark.timeout(240)
NAMESPACE = "default"
POLICY = "routingpolicies/support"


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A control plane of our own: it will be broken."""
    del control_plane  # its skip, where clusters cannot be had
    with ControlPlane() as mine:
        mine.install(*CRDS)
        yield mine


@pytest.fixture(scope="module")
def hub() -> Iterator[ClusterHub]:
    """A scripted hub."""
    with cluster_hub() as running:
        yield running


@pytest.fixture(scope="module")
def replica(
    cluster: ControlPlane, hub: ClusterHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControllerProcess]:
    """A controller that leads and has published one policy with one reporting pod."""
    folder: Path = tmp_path_factory.mktemp("weather") / "replica"
    with controller(make_home(cluster), hub, folder) as running:
        eventually(running.leads, within_s=30)
        cluster.kubectl.apply(pool(namespace=NAMESPACE), policy(rule(), namespace=NAMESPACE))
        eventually(partial(hub.digest, NAMESPACE, "support"))
        uid = pod(cluster, NAMESPACE, "one", labels=INJECTED)
        hub.follow(uid, NAMESPACE, "support", pod="one")
        eventually(partial(_ready, cluster))
        yield running


def _ready(cluster: ControlPlane) -> bool:
    return verdict(cluster, NAMESPACE, POLICY, "Ready") == ("True", "Ready")


def _edit(cluster: ControlPlane, hub: ClusterHub, name: str, within_s: float = 15.0) -> None:
    """A policy is applied, and reaches hub and ConfigMap."""
    cluster.kubectl.apply(policy(rule(), name=name, namespace=NAMESPACE, priority=-5))
    eventually(partial(hub.digest, NAMESPACE, name), within_s=within_s)
    eventually(partial(envelope, cluster, NAMESPACE, name), within_s=within_s)


def test_a_killed_api_server_is_survived(
    cluster: ControlPlane, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """Away for longer than the Lease lasts: the same process goes on when it is back."""
    cluster.kill("kube-apiserver")
    eventually(lambda: not replica.leads(), within_s=30)
    assert not replica.ended(), replica.log()
    cluster.start("kube-apiserver")
    cluster.wait_ready()
    eventually(replica.leads, within_s=30)
    _edit(cluster, hub, "after-the-kill", within_s=30)
    assert not replica.ended(), replica.log()


def test_a_frozen_api_server_is_survived(
    cluster: ControlPlane, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """Open connections that say nothing: writing stops with the Lease, and goes on after it."""
    cluster.freeze("kube-apiserver")
    eventually(lambda: not replica.leads(), within_s=30)
    cluster.thaw("kube-apiserver")
    eventually(replica.leads, within_s=30)
    _edit(cluster, hub, "after-the-frost", within_s=30)


def test_what_was_deleted_while_the_history_was_lost_is_noticed(
    cluster: ControlPlane, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """410 Gone: pods and policies that went while nobody could watch are found by listing."""
    _edit(cluster, hub, "short-lived")
    replica.process.send_signal(19)  # SIGSTOP
    cluster.kubectl.within(NAMESPACE)("delete", "rpol", "short-lived", "--wait")
    cluster.kubectl.within(NAMESPACE)("delete", "pod", "one", "--grace-period=0", "--force")
    cluster.kill("kube-apiserver")
    _compact(cluster)
    cluster.start("kube-apiserver")
    cluster.wait_ready()
    replica.process.send_signal(18)  # SIGCONT
    eventually(lambda: not hub.digest(NAMESPACE, "short-lived"), within_s=90)
    eventually(lambda: status(cluster, NAMESPACE, POLICY)["pods"] == 0, within_s=90)
    _edit(cluster, hub, "after-the-gap", within_s=30)


def _compact(cluster: ControlPlane) -> None:
    """Forget the history of etcd, by its own gRPC gateway."""
    url = f"http://127.0.0.1:{cluster.layout.etcd_port}/v3/kv"
    ask = ["curl", "-sS", "-X", "POST"]
    text = subprocess.run(
        [*ask, f"{url}/range", "-d", '{"key":"AA=="}'], check=True, capture_output=True, text=True
    ).stdout
    revision = text.split('"revision":"', 1)[1].split('"', 1)[0]
    done = subprocess.run(
        [*ask, f"{url}/compaction", "-d", f'{{"revision":"{revision}","physical":true}}'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "error" not in done, done


def test_a_hub_that_goes_and_comes_back_is_told_of_and_caught_up_with(
    cluster: ControlPlane, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """Away: the condition says so, ConfigMaps are written on; back: it gets what it missed."""
    uid = pod(cluster, NAMESPACE, "again", labels=INJECTED)
    hub.follow(uid, NAMESPACE, "support", pod="again")
    eventually(partial(_ready, cluster))
    hub.stop()
    wanted = ("Unknown", "HubUnreachable")
    eventually(lambda: verdict(cluster, NAMESPACE, POLICY, "Programmed") == wanted, within_s=30)
    cluster.kubectl.apply(policy(rule(), name="meanwhile", namespace=NAMESPACE, priority=-5))
    eventually(partial(envelope, cluster, NAMESPACE, "meanwhile"))
    lost = hub.tables.pop((NAMESPACE, "support"))
    hub.tables[NAMESPACE, "ghost"] = dict(lost, policy="ghost")
    began = time.monotonic()
    hub.start()
    eventually(partial(hub.digest, NAMESPACE, "meanwhile"), within_s=30)
    eventually(partial(hub.digest, NAMESPACE, "support"), within_s=30)
    eventually(lambda: not hub.digest(NAMESPACE, "ghost"), within_s=30)
    assert time.monotonic() - began <= 20
    eventually(partial(_ready, cluster), within_s=30)
    assert not replica.ended()
