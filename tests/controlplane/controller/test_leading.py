"""Two replicas: one works, the other takes over in time, the first one's late words are refused."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from harness.control_plane import ControlPlane
from support.cluster_hub import ClusterHub, cluster_hub
from support.controllers import ControllerProcess, Home, controller, make_home
from support.eventually import eventually
from support.resources import policy, pool, rule

pytestmark = pytest.mark.timeout(180)
TAKES_OVER_WITHIN_S = 20.0
EXIT_REPLACED = 75


@pytest.fixture
def own(crds: ControlPlane) -> Home:
    """A Lease that nobody else wants."""
    return make_home(crds)


@pytest.fixture
def other_hub() -> Iterator[ClusterHub]:
    """A hub that hears only these replicas."""
    with cluster_hub() as running:
        yield running


@pytest.fixture
def pair(
    own: Home, other_hub: ClusterHub, namespace: str, tmp_path: Path
) -> Iterator[tuple[ControllerProcess, ControllerProcess]]:
    """A leader and a standby, serving one namespace."""
    scope = ["--namespaces", namespace]
    with controller(own, other_hub, tmp_path / "first", *scope) as first:
        eventually(first.leads, within_s=30)
        with controller(own, other_hub, tmp_path / "second", *scope) as second:
            yield first, second


def test_a_standby_takes_over_and_the_stale_leader_is_fenced(
    crds: ControlPlane,
    own: Home,
    other_hub: ClusterHub,
    namespace: str,
    pair: tuple[ControllerProcess, ControllerProcess],
) -> None:
    """A leader that is stopped loses the Lease in 20 s; when it wakes, it ends without a write."""
    first, second = pair
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(partial(other_hub.digest, namespace, "support"))
    transitions = own.lease()["leaseTransitions"]
    assert not second.leads()
    first.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    eventually(second.leads, within_s=TAKES_OVER_WITHIN_S)
    crds.kubectl.apply(policy(rule(), name="later", namespace=namespace, priority=-1))
    eventually(partial(other_hub.digest, namespace, "later"), within_s=TAKES_OVER_WITHIN_S)
    assert time.monotonic() - began <= TAKES_OVER_WITHIN_S
    assert own.lease()["leaseTransitions"] == transitions + 1
    writes = len(other_hub.writes)
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(timeout=30) == EXIT_REPLACED, first.log()
    assert len(other_hub.writes) == writes
    assert "a defect" not in first.log()


def test_the_new_leaders_fence_stands_before_it_has_anything_to_say(
    crds: ControlPlane,
    other_hub: ClusterHub,
    namespace: str,
    pair: tuple[ControllerProcess, ControllerProcess],
) -> None:
    """Though no table differs, the hub learns who leads, and refuses the one before."""
    first, second = pair
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(partial(other_hub.digest, namespace, "support"))
    old = other_hub.tables[namespace, "support"]["fence"]
    assert first.stop() == 0
    eventually(second.leads, within_s=TAKES_OVER_WITHIN_S)
    eventually(lambda: other_hub.tables[namespace, "support"]["fence"] != old)
    headers = {
        "authorization": "Bearer the controller's token",
        "x-pointsman-fence": ",".join(map(str, old.values())),
        "x-pointsman-target": "{}",
    }
    status, _ = other_hub.answer("PUT", f"/v1/tables/{namespace}/support", headers, b"{}")
    assert status == 409


def test_an_orderly_end_hands_the_lease_over_at_once(
    own: Home, pair: tuple[ControllerProcess, ControllerProcess]
) -> None:
    """SIGTERM releases the Lease: the standby does not wait for its end."""
    first, second = pair
    began = time.monotonic()
    assert first.stop() == 0
    eventually(second.leads, within_s=TAKES_OVER_WITHIN_S)
    assert time.monotonic() - began <= 10
    assert own.lease()["holderIdentity"].startswith("second_")


def test_a_lease_that_is_made_anew_is_above_all_before(
    crds: ControlPlane, own: Home, other_hub: ClusterHub, namespace: str, tmp_path: Path
) -> None:
    """After a reinstallation the hub still knows the old count; the new leader is not fenced."""
    scope = ["--namespaces", namespace]
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    for turn in range(3):
        with controller(own, other_hub, tmp_path / f"old-{turn}", *scope) as replica:
            eventually(replica.leads, within_s=30)
            eventually(partial(other_hub.digest, namespace, "support"))
            assert replica.stop() == 0
    before = own.lease()["leaseTransitions"]
    own.drop_lease()
    with controller(own, other_hub, tmp_path / "new", *scope) as replica:
        eventually(replica.leads, within_s=30)
        crds.kubectl.apply(policy(rule(), name="later", namespace=namespace, priority=-1))
        eventually(partial(other_hub.digest, namespace, "later"), within_s=20)
        assert own.lease()["leaseTransitions"] > before
        assert not replica.ended()
