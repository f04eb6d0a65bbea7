"""From `kubectl apply` to the hub and the ConfigMap, and back out again."""

from __future__ import annotations

import time
from functools import partial

import pytest

from harness.control_plane import ControlPlane
from support.cluster_hub import ClusterHub
from support.controllers import ControllerProcess
from support.eventually import eventually
from support.large_tables import apply_too_much
from support.resources import policy, pool, rule
from support.resources_in_cluster import API, config_map, envelope, verdict

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def served(crds: ControlPlane, namespace: str, hub: ClusterHub, replica: ControllerProcess) -> str:
    """A namespace with a pool and a policy that are published."""
    eventually(replica.leads, within_s=30)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(partial(_agree, crds, hub, namespace))
    return namespace


def _agree(cluster: ControlPlane, hub: ClusterHub, namespace: str, name: str = "support") -> bool:
    """Whether hub and ConfigMap hold one and the same table."""
    there = envelope(cluster, namespace, name).get("digest", "")
    return bool(there) and there == hub.digest(namespace, name)


def _differs(hub: ClusterHub, namespace: str, digest: str) -> bool:
    return hub.digest(namespace, "support") != digest


def test_an_applied_policy_is_ready(crds: ControlPlane, served: str) -> None:
    """`kubectl wait` ends, and says why nobody has to report."""
    kubectl = crds.kubectl.within(served)
    kubectl("wait", "--for=condition=Ready", "rpol/support", "mpool/main", "--timeout=20s")
    found = verdict(crds, served, "routingpolicies/support", "Programmed")
    assert found == ("True", "NoPods")


def test_an_edit_reaches_hub_and_config_map_within_a_second(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """From the API server's answer to an edit to the table at the hub and in the namespace."""
    took: list[float] = []
    for number in range(5):
        before = hub.digest(served, "support")
        edit = policy(rule(f"r{number}"), namespace=served)
        crds.api.merge(f"{API}/{served}/routingpolicies/support", {"spec": edit["spec"]})
        began = time.monotonic()
        eventually(partial(_differs, hub, served, before))
        eventually(partial(_agree, crds, hub, served))
        took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] <= 1.0, took


def test_a_pools_edit_reaches_the_policies_of_other_namespaces(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """The table of a policy changes with the pool that it uses."""
    before = hub.digest(served, "support")
    models = pool(namespace=served)["spec"]["models"]
    models[0]["tier"] = 3
    crds.api.merge(f"{API}/{served}/modelpools/main", {"spec": {"models": models}})
    eventually(partial(_differs, hub, served, before))
    eventually(partial(_agree, crds, hub, served))


def test_a_bad_object_does_not_block_a_good_one(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """I2: a policy whose pool does not exist says so, and its neighbour is published."""
    bad = policy(rule(), name="bad", namespace=served, pools=[{"name": "none"}])
    good = policy(rule(), name="good", namespace=served, priority=-1)
    crds.kubectl.apply(bad, good)
    eventually(partial(_agree, crds, hub, served, "good"))
    path = "routingpolicies/bad"
    eventually(lambda: verdict(crds, served, path, "ResolvedRefs") == ("False", "PoolNotFound"))
    assert verdict(crds, served, path, "Ready") == ("False", "PoolNotFound")
    assert envelope(crds, served, "bad"), "even a broken policy has a table: it refuses"


def test_the_target_says_whom_a_table_serves(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """Labels and order lie beside the table, at the hub and in the ConfigMap alike."""
    target = {"selector": {"matchLabels": {"app": "shop"}}}
    crds.kubectl.apply(policy(rule(), name="shop", namespace=served, target=target, priority=7))
    eventually(partial(_agree, crds, hub, served, "shop"))
    told = hub.tables[served, "shop"]["target"]
    assert told["labels"] == {"app": "shop"}
    assert told["order"][0] == -7
    assert told["order"][2] == "shop"
    assert envelope(crds, served, "shop")["target"] == told


def test_a_tampered_config_map_is_put_right(crds: ControlPlane, served: str) -> None:
    """Changed, added and deleted entries come back as they were, and an Event tells of it."""
    path = f"/api/v1/namespaces/{served}/configmaps/pointsman"
    before = config_map(crds, served)
    value = before["binaryData"]["support.json.gz"]
    foreign = {"binaryData": {"foreign.json.gz": value, "support.json.gz": "AAAA"}}
    crds.api.merge(path, foreign, fieldManager="somebody")
    eventually(lambda: config_map(crds, served).get("binaryData") == before["binaryData"])
    crds.api.delete(path)
    eventually(lambda: config_map(crds, served).get("binaryData") == before["binaryData"])
    told = crds.kubectl.within(served)("get", "events", "-o=jsonpath={.items[*].reason}")
    assert "ConfigMapCorrected" in told


def test_deletion_cleans_up(crds: ControlPlane, served: str, hub: ClusterHub) -> None:
    """With the last policy of a namespace its table, its ConfigMap and nothing else goes."""
    crds.kubectl.within(served)("delete", "rpol", "support", "--wait")
    eventually(lambda: not hub.digest(served, "support"))
    eventually(lambda: not config_map(crds, served))
    crds.api.get(f"{API}/{served}/modelpools/main")


def test_a_strangers_config_map_is_not_deleted(
    crds: ControlPlane, namespace: str, replica: ControllerProcess
) -> None:
    """Cleaning up goes by our label: without a policy, a ConfigMap of that name is left alone."""
    eventually(replica.leads, within_s=30)
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pointsman"}}
    crds.api.create(f"/api/v1/namespaces/{namespace}/configmaps", foreign)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(lambda: envelope(crds, namespace, "support"))
    other = f"{namespace}-b"
    crds.api.create(
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}},
    )
    crds.api.create(f"/api/v1/namespaces/{other}/configmaps", foreign | {"data": {"a": "b"}})
    crds.kubectl.apply(policy(rule(), name="later", namespace=namespace))
    eventually(lambda: envelope(crds, namespace, "later"))
    assert config_map(crds, other)["data"] == {"a": "b"}
    crds.api.delete(f"/api/v1/namespaces/{other}")


def test_tables_that_do_not_fit_say_so_and_are_served_by_the_hub(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """Above 900 KiB the ConfigMap stays as it is; when there is room again, all is well again."""
    before = config_map(crds, served)["binaryData"]
    large = apply_too_much(crds, served)
    for name in large:
        eventually(partial(hub.digest, served, name), within_s=30)
    wanted = ("False", "TooLarge")
    path = "routingpolicies/support"
    eventually(lambda: verdict(crds, served, path, "Programmed") == wanted, within_s=30)
    there = config_map(crds, served)["binaryData"]
    assert before.items() <= there.items()
    assert len(there) < len(before) + len(large)
    crds.kubectl.within(served)("delete", "rpol", "large-b", "--wait")
    eventually(lambda: verdict(crds, served, path, "Programmed") == ("True", "NoPods"), within_s=60)
    eventually(partial(_agree, crds, hub, served, "large-a"), within_s=60)
