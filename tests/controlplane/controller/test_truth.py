"""What a status says comes from pods that run and from what their sidecars report."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from harness.control_plane import ControlPlane
from support.cluster_hub import ClusterHub
from support.controllers import ControllerProcess
from support.eventually import eventually
from support.resources import budget, policy, pool, rule
from support.resources_in_cluster import API, INJECTED, condition, pod, status, verdict

pytestmark = pytest.mark.timeout(120)
POLICY = "routingpolicies/support"


@pytest.fixture
def served(crds: ControlPlane, namespace: str, hub: ClusterHub, replica: ControllerProcess) -> str:
    """A namespace with a published policy and two injected pods that report its table."""
    eventually(replica.leads, within_s=30)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(partial(hub.digest, namespace, "support"))
    for name in ("one", "two"):
        uid = pod(crds, namespace, name, labels=INJECTED)
        _report(hub, namespace, uid, name)
    eventually(lambda: verdict(crds, namespace, POLICY, "Programmed") == ("True", "Programmed"))
    return namespace


def _report(hub: ClusterHub, namespace: str, uid: str, name: str, **more: object) -> None:
    digest = hub.digest(namespace, "support")
    hub.report(uid, namespace=namespace, pod=name, **({"digest": digest} | more))


def _uid(cluster: ControlPlane, namespace: str, name: str) -> str:
    found = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    return str(found["metadata"]["uid"])


def test_programmed_counts_what_sidecars_run(crds: ControlPlane, served: str) -> None:
    """Figures and columns say how many of how many."""
    wanted = {"injected": "2/2", "programmed": "2/2"}
    eventually(lambda: wanted.items() <= status(crds, served, POLICY).items())
    shown = crds.kubectl.within(served)("get", "rpol", "support")
    assert "2/2" in shown


def test_a_cut_stream_turns_programmed_within_ten_seconds(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """A digest counts only while its stream is open; when it is back, so is the condition."""
    uid = _uid(crds, served, "one")
    began = time.monotonic()
    _report(hub, served, uid, "one", connected=False)
    wanted = ("False", "SidecarDisconnected")
    eventually(lambda: verdict(crds, served, POLICY, "Programmed") == wanted)
    assert time.monotonic() - began <= 10
    assert verdict(crds, served, POLICY, "Ready") == wanted
    _report(hub, served, uid, "one", connected=True)
    eventually(lambda: verdict(crds, served, POLICY, "Ready") == ("True", "Ready"))


def test_a_pod_that_is_gone_counts_no_more(crds: ControlPlane, served: str) -> None:
    """The report of a deleted pod's sidecar is nobody's."""
    crds.kubectl.within(served)("delete", "pod", "one", "--grace-period=0", "--force")
    eventually(lambda: status(crds, served, POLICY)["programmed"] == "1/1")


def test_a_finished_pod_counts_no_more(crds: ControlPlane, served: str) -> None:
    """A Job's pod that has succeeded cannot run a table, nor lack a router."""
    path = f"/api/v1/namespaces/{served}/pods/one/status"
    crds.api.merge(path, {"status": {"phase": "Succeeded"}})
    eventually(lambda: status(crds, served, POLICY)["programmed"] == "1/1")


def test_an_outdated_sidecar_is_named(crds: ControlPlane, served: str, hub: ClusterHub) -> None:
    """A table above what a sidecar reads: its own reason, the pod in the message."""
    digest = hub.digest(served, "support")
    rejected = {"digest": digest, "reason": "SidecarOutdated"}
    uid = _uid(crds, served, "two")
    _report(hub, served, uid, "two", digest="sha256:old", rejected=rejected)
    wanted = ("False", "SidecarOutdated")
    eventually(lambda: verdict(crds, served, POLICY, "Programmed") == wanted)
    message = _message(crds, served, POLICY, "Programmed")
    assert "two" in message
    assert "restart" in message


def test_a_pod_without_its_router_is_named(crds: ControlPlane, served: str) -> None:
    """A pod that asks and has none; once it is gone, the condition recovers."""
    pod(crds, served, "bare", labels={"pointsman.dev/inject": "true"})
    wanted = ("False", "InjectionMissing")
    eventually(lambda: verdict(crds, served, POLICY, "Injected") == wanted)
    assert verdict(crds, served, POLICY, "Ready") == wanted
    crds.kubectl.within(served)("delete", "pod", "bare", "--grace-period=0", "--force")
    eventually(lambda: verdict(crds, served, POLICY, "Ready") == ("True", "Ready"))


def test_a_namespaces_label_asks_for_its_pods(crds: ControlPlane, served: str) -> None:
    """`pointsman.dev/injection: enabled` makes pods without a router of their own ask."""
    pod(crds, served, "plain")
    eventually(lambda: status(crds, served, POLICY)["pods"] == 3)
    assert verdict(crds, served, POLICY, "Injected") == ("True", "Injected")
    label = {"metadata": {"labels": {"pointsman.dev/injection": "enabled"}}}
    crds.api.merge(f"/api/v1/namespaces/{served}", label)
    wanted = ("False", "InjectionMissing")
    eventually(lambda: verdict(crds, served, POLICY, "Injected") == wanted)


def test_a_missing_secret_shows_at_policy_and_pool(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """The sidecars' word about a key is told to both owners, and taken back when it is there."""
    secret = "pointsman-credentials/openai"
    models = pool(namespace=served)["spec"]["models"]
    name, key = secret.split("/")
    models[0]["provider"]["credential"] = {"secretRef": {"name": name, "key": key}}
    before = hub.digest(served, "support")
    crds.api.merge(f"{API}/{served}/modelpools/main", {"spec": {"models": models}})
    eventually(lambda: hub.digest(served, "support") != before)
    for state, wanted in (
        ("missing", ("False", "SecretMissing")),
        ("host_not_allowed", ("False", "HostNotAllowed")),
        ("ok", ("True", "ResolvedRefs")),
    ):
        for pod_name in ("one", "two"):
            uid = _uid(crds, served, pod_name)
            _report(hub, served, uid, pod_name, credentials={secret: state})
        for path in (POLICY, "modelpools/main"):
            eventually(partial(_is, crds, served, path, "ResolvedRefs", wanted))


def test_an_unreachable_provider_shows_and_recovers(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """Every sidecar's breaker open: the condition says so without holding up Ready."""
    for state, wanted in (
        ("Open", ("False", "ProviderUnreachable")),
        ("Closed", ("True", "ProvidersReachable")),
    ):
        for name in ("one", "two"):
            _report(hub, served, _uid(crds, served, name), name, targets={"main/mini": state})
        for path in (POLICY, "modelpools/main"):
            eventually(partial(_is, crds, served, path, "ProvidersReachable", wanted))
    assert verdict(crds, served, POLICY, "Ready") == ("True", "Ready")
    assert status(crds, served, "modelpools/main")["targets"][0]["closed"] == 2


def test_an_outage_that_some_found_is_the_pools(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """Idle sidecars call it down by the word of two: the status says since when, and for what."""
    outage = {"main/mini": {"class": "Connect", "since": "2026-11-22T09:59:00Z"}}
    uid = _uid(crds, served, "one")
    _report(hub, served, uid, "one", targets={"main/mini": "Open"}, outages=outage)
    _report(hub, served, _uid(crds, served, "two"), "two", targets={"main/mini": "Closed"})
    path, wanted = "modelpools/main", {"open": 1, "closed": 1, "error": "Connect"}
    eventually(lambda: wanted.items() <= _target(crds, served).items())
    assert verdict(crds, served, path, "ProvidersReachable")[0] == "True", "one of two calls it"
    since = "2026-11-22T09:59:00+00:00"
    found = {"namespace": served, "pool": "main", "model": "mini", "class": "Connect"}
    hub.judge(found | {"since": since})
    unreachable = ("False", "ProviderUnreachable")
    eventually(partial(_is, crds, served, path, "ProvidersReachable", unreachable))
    assert _target(crds, served)["downSince"] == since
    assert verdict(crds, served, path, "Ready") == ("True", "Ready")
    hub.judge()
    _report(hub, served, uid, "one", targets={"main/mini": "Closed"}, outages={})
    eventually(
        partial(_is, crds, served, path, "ProvidersReachable", ("True", "ProvidersReachable"))
    )
    eventually(lambda: "error" not in _target(crds, served))
    told = crds.kubectl.within(served)("get", "events", "-o=jsonpath={.items[*].reason}")
    assert "ProviderUnreachable" in told


def test_a_limit_that_is_used_up_is_the_pools(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """Which one, and since when it refuses calls; the model works, so nothing is held up."""
    _report(hub, served, _uid(crds, served, "one"), "one", targets={"main/mini": "Closed"})
    found = {"namespace": served, "pool": "main", "model": "mini"}
    near = found | {"limit": "maxInFlight", "near_since": "2026-11-22T09:58:00+00:00"}
    hub.strain(near)
    eventually(lambda: _target(crds, served).get("nearLimit") == "maxInFlight")
    assert "refusingSince" not in _target(crds, served)
    since = "2026-11-22T09:59:00+00:00"
    hub.strain(near, found | {"limit": "tokensPerMinute", "refusing_since": since})
    wanted = {"nearLimit": "tokensPerMinute", "refusingSince": since, "closed": 1}
    eventually(lambda: wanted.items() <= _target(crds, served).items())
    assert verdict(crds, served, "modelpools/main", "Ready") == ("True", "Ready")
    hub.strain()
    eventually(lambda: "nearLimit" not in _target(crds, served))


def test_a_flapping_targets_status_is_written_every_five_seconds_at_most(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """Sidecars that report its ups and downs five times a second make no storm."""
    uid, seen = _uid(crds, served, "one"), set()
    until_s = time.monotonic() + 11
    while time.monotonic() < until_s:
        for state in ("Open", "Closed"):
            _report(hub, served, uid, "one", targets={"main/mini": state})
            time.sleep(0.1)
            held = crds.api.get(f"{API}/{served}/modelpools/main")
            seen.add(held["metadata"]["resourceVersion"])
    assert 2 <= len(seen) <= 4, "what was there, one at once, and one every five seconds"


def test_a_budgets_status_shows_its_money(crds: ControlPlane, served: str, hub: ClusterHub) -> None:
    """Spent, left, percent, the threshold's action; then the end of the limit."""
    thresholds = [{"percent": 80, "action": "Downgrade", "maxTier": 1}]
    _publish(crds, hub, served, amount="5", thresholds=thresholds)
    for name in ("one", "two"):
        _report(hub, served, _uid(crds, served, name), name)
    _spend(hub, served, 41 * 10**11)
    eventually(partial(_is, crds, served, "budgets/team", "NearLimit",
                       ("True", "ThresholdReached")), within_s=20)  # fmt: skip
    found = status(crds, served, "budgets/team")
    worst = found["worst"]
    assert (worst["spent"], worst["remaining"], worst["percent"]) == ("4.1", "0.9", 82)
    assert found["action"] == "Downgrade"
    assert verdict(crds, served, "budgets/team", "Ready") == ("True", "Ready")
    _spend(hub, served, 5 * 10**12)
    eventually(partial(_is, crds, served, "budgets/team", "Exhausted",
                       ("True", "LimitReached")), within_s=20)  # fmt: skip
    shown = crds.kubectl.within(served)("get", "bud", "team")
    assert "Block" in shown
    told = crds.kubectl.within(served)("get", "events", "-o=jsonpath={.items[*].reason}")
    assert "LimitReached" in told


def test_a_ledger_that_sidecars_miss_shows(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """The engine's own sentence stands in the Budget's condition."""
    _publish(crds, hub, served)
    _report(hub, served, _uid(crds, served, "two"), "two")
    _spend(hub, served, 0)
    uid = _uid(crds, served, "one")
    _report(hub, served, uid, "one", ledger="no answer for 40 s")
    eventually(partial(_is, crds, served, "budgets/team", "LedgerAvailable",
                       ("False", "LedgerUnavailable")))  # fmt: skip
    _report(hub, served, uid, "one", ledger="ok")
    eventually(partial(_is, crds, served, "budgets/team", "Ready", ("True", "Ready")))


def test_a_budget_is_ready_when_every_sidecar_has_it(
    crds: ControlPlane, served: str, hub: ClusterHub
) -> None:
    """`kubectl wait` means that the next call is counted; an edit is a new Budget."""
    for amount in ("5", "7"):
        _publish(crds, hub, served, amount=amount)
        wanted = ("False", "Programming")
        eventually(partial(_is, crds, served, "budgets/team", "Ready", wanted))
        _report(hub, served, _uid(crds, served, "one"), "one")
        eventually(lambda: "counted: two;" in _message(crds, served, "budgets/team", "Enforced"))
        _report(hub, served, _uid(crds, served, "two"), "two")
        crds.kubectl.within(served)("wait", "--for=condition=Ready", "bud/team", "--timeout=20s")
    crds.api.merge(f"{API}/{served}/{POLICY}", {"spec": {"rules": [rule("later")]}})
    wanted = ("False", "Updating")
    eventually(lambda: verdict(crds, served, POLICY, "Ready") == wanted)
    assert verdict(crds, served, "budgets/team", "Ready") == ("True", "Ready")


def _target(crds: ControlPlane, namespace: str) -> dict[str, Any]:
    """The pool's one model as its status shows it; empty: not yet."""
    found: list[dict[str, Any]] = status(crds, namespace, "modelpools/main").get("targets") or [{}]
    return found[0]


def _publish(crds: ControlPlane, hub: ClusterHub, namespace: str, **spec: Any) -> None:
    """A Budget, and the table that holds it at the hub."""
    before = hub.digest(namespace, "support")
    crds.kubectl.apply(budget(namespace=namespace, **spec))
    eventually(lambda: hub.digest(namespace, "support") != before)


def _message(crds: ControlPlane, namespace: str, path: str, kind: str) -> str:
    return str(condition(crds, namespace, path, kind).get("message"))


def _spend(hub: ClusterHub, namespace: str, used: int) -> None:
    limit = 5 * 10**12
    row = {"account": f"{namespace}/team/day", "window": "w", "limit": limit, "settled": used,
           "unconfirmed": 0, "leased": 0, "turned_away": 0, "available": limit - used, "overrun": 0,
           "current": True, "resets_at": "2126-11-23T00:00:00+00:00"}  # fmt: skip
    hub.accounts = [row]


def _is(
    cluster: ControlPlane, namespace: str, path: str, kind: str, wanted: tuple[str, str]
) -> bool:
    return verdict(cluster, namespace, path, kind) == wanted
