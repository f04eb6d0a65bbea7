"""An API server that is overloaded, silent, or cuts its watches: nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.control_plane import ControlPlane
from harness.troubled import TroubledApi
from pointsman_operator.kube.connection import connect
from pointsman_operator.kube.metadata import MetadataWatch
from support.cluster_hub import ClusterHub, cluster_hub
from support.controllers import ACCOUNT, ControllerProcess, Home, controller, make_home
from support.eventually import eventually
from support.large_tables import apply_too_much
from support.resources import policy, pool, rule
from support.resources_in_cluster import envelope, pod, status, verdict

pytestmark = pytest.mark.timeout(180)
ENOUGH = 3
POLICY = "routingpolicies/support"


@pytest.fixture
def calm(crds: ControlPlane) -> Home:
    """A home of its own: what happens here concerns one replica."""
    return make_home(crds)


@pytest.fixture
def moody(crds: ControlPlane) -> Iterator[TroubledApi]:
    """The API server, as the replica of these tests sees it."""
    with TroubledApi(crds) as api:
        yield api


@pytest.fixture
def served(
    crds: ControlPlane, calm: Home, moody: TroubledApi, namespace: str, tmp_path: Path
) -> Iterator[tuple[ClusterHub, ControllerProcess]]:
    """A published policy, and the replica that published it through the moody server."""
    home = replace(calm, kubeconfig=moody.kubeconfig(calm.namespace, ACCOUNT))
    scope = ["--namespaces", namespace]
    with cluster_hub() as hub, controller(home, hub, tmp_path / "replica", *scope) as replica:
        crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
        eventually(
            lambda: verdict(crds, namespace, POLICY, "Ready") == ("True", "Ready"), within_s=30
        )
        yield hub, replica


def test_a_storm_of_429_is_waited_out(
    crds: ControlPlane,
    moody: TroubledApi,
    namespace: str,
    served: tuple[ClusterHub, ControllerProcess],
) -> None:
    """Retry-After is kept to; what was to be written is written once the storm is over."""
    hub, replica = served
    refused: list[float] = []

    def configs(_method: str, path: str) -> bool:
        if "/configmaps/" in path:
            refused.append(time.monotonic())
        return "/configmaps/" in path

    moody.refuse(429, 1, configs)
    crds.kubectl.apply(policy(rule(), name="stormy", namespace=namespace, priority=-1))
    eventually(partial(hub.digest, namespace, "stormy"))
    eventually(lambda: len(refused) >= ENOUGH, within_s=20)
    moody.pass_on()
    gaps = [later - earlier for earlier, later in itertools.pairwise(refused)]
    assert min(gaps) >= 0.9, "an overloaded server is asked again no earlier than it said"
    eventually(partial(envelope, crds, namespace, "stormy"), within_s=30)
    assert not replica.ended()


def test_a_write_that_failed_does_not_keep_what_was_found_out(
    crds: ControlPlane,
    moody: TroubledApi,
    namespace: str,
    served: tuple[ClusterHub, ControllerProcess],
) -> None:
    """Tables fit again, the first write of them fails: the status says so after the second."""
    _, replica = served
    refused: set[str] = set()
    written: list[str] = []

    def first(method: str, path: str) -> bool:
        if "/configmaps/" not in path:
            return False
        if method == "PATCH":
            written.append(path)
        known = method in refused
        refused.add(method)
        return not known

    large = apply_too_much(crds, namespace)
    wanted = ("False", "TooLarge")
    eventually(lambda: verdict(crds, namespace, POLICY, "Programmed") == wanted, within_s=60)
    # The first read fails, so that the status is told again before; then the first write.
    moody.refuse(500, 1, first)
    crds.kubectl.within(namespace)("delete", "rpol", large[0], "--wait")
    eventually(lambda: len(written) > 1, within_s=30)
    wanted = ("True", "NoPods")
    eventually(lambda: verdict(crds, namespace, POLICY, "Programmed") == wanted, within_s=30)
    assert not replica.ended()


def test_cut_watches_are_resumed(
    crds: ControlPlane,
    moody: TroubledApi,
    namespace: str,
    served: tuple[ClusterHub, ControllerProcess],
) -> None:
    """A pod and an edit that came while no watch ran count as soon as watches run again."""
    hub, _ = served
    moody.refuse(503, 1, lambda _, path: "watch=" in path)
    moody.cut()
    pod(crds, namespace, "meanwhile")
    crds.kubectl.apply(policy(rule(), name="cut", namespace=namespace, priority=-1))
    moody.pass_on()
    eventually(partial(hub.digest, namespace, "cut"), within_s=40)
    eventually(lambda: status(crds, namespace, POLICY)["pods"] == 1, within_s=40)


async def test_a_silent_watch_is_noticed(
    crds: ControlPlane, moody: TroubledApi, calm: Home, namespace: str
) -> None:
    """A watch that says nothing for too long is given up and resumed: nothing is missed."""
    seen: dict[str, object] = {}
    watch = MetadataWatch(
        connect(moody.kubeconfig(calm.namespace, ACCOUNT)),
        f"/api/v1/namespaces/{namespace}/pods",
        keep=lambda metadata: str(metadata["uid"]),
        changed=lambda key, uid: seen.__setitem__(key[1], uid),
        silence_s=1.0,
    )
    running = asyncio.create_task(watch.run())
    try:
        await watch.synced.wait()
        moody.silence()
        pod(crds, namespace, "unheard")
        await asyncio.wait({running}, timeout=1.5)
        moody.speak()
        await asyncio.to_thread(eventually, lambda: seen.get("unheard"), 20)
        assert watch.relists == 1, "resumed from where it was, not listed again"
    finally:
        running.cancel()
