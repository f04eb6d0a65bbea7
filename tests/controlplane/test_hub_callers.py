"""Who may call a hub in a cluster: real tokens of a real API server, tried at every endpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.control_plane import ControlPlane
from support.eventually import eventually
from support.hub_in_cluster import HOME, HUB, HubInCluster, account, hub_in_cluster

pytestmark = pytest.mark.timeout(180)
USER = f"system:serviceaccount:{HOME}:{HUB}"
FENCE = {"x-pointsman-fence": "installation,1,boot"}


@pytest.fixture(scope="module")
def hub(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubInCluster]:
    """One hub for these tests, whose ledger was there before: it judges Budgets at once."""
    with hub_in_cluster(control_plane, tmp_path_factory.mktemp("hub")) as running:
        running.process.stop()
        running.process.start()
        yield running


def table(namespace: str, policy: str = "main", **more: Any) -> bytes:
    """Canonical bytes of a table with one Budget."""
    window = {"calendar": "Day", "timeZone": "UTC"}
    budget = {
        "namespace": namespace,
        "name": "team",
        "limits": [{"name": "day", "amount": 10**12, "window": window}],
        "thresholds": [{"percent": 100, "action": "Block"}],
        "enforcement": {"mode": "Enforce", "outageHorizonSeconds": 900},
    }
    document = {
        "version": 1,
        "minReader": 1,
        "policy": {"namespace": namespace, "name": policy},
        "budgets": [budget],
        **more,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def publish(hub: HubInCluster, namespace: str, policy: str = "main", **target: Any) -> str:
    """Put a table as the controller does; its digest."""
    asked = {"labels": {}, "order": [-100, "2026", policy], **target}
    headers = FENCE | {"x-pointsman-target": json.dumps(asked)}
    path = f"/v1/tables/{namespace}/{policy}"
    content = table(namespace, policy)
    answer = hub.call(hub.controllers_token(), "PUT", path, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["digest"])


def first_table(
    hub: HubInCluster, token: str, uid: str, namespace: str, **labels: str
) -> dict[str, Any]:
    """What the stream says first."""
    query = {"sidecar": uid, "boot": "b", "namespace": namespace, "labels": json.dumps(labels)}
    headers = {"authorization": f"Bearer {token}"}
    url = hub.process.url + "/v1/stream"
    with httpx.stream("GET", url, params=query, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        found: dict[str, Any] = json.loads(next(answer.iter_lines()))
        return found


def sync(uid: str, *accounts: str) -> dict[str, Any]:
    """A sync that wants a cent on each account."""
    wants = [{"account": name, "need": 10**10, "prefer": 10**10} for name in accounts]
    return {"sidecar": uid, "boot": "b", "seq": 1, "wants": wants}


def test_a_pod_is_served_by_its_labels_and_its_namespace(hub: HubInCluster, namespace: str) -> None:
    """Of two policies the one that selects the pod, and the one of higher priority."""
    pod = hub.pod(namespace, "app")
    token = hub.pod_token(namespace, pod)
    everyone = publish(hub, namespace, "everyone")
    special = publish(
        hub, namespace, "special", labels={"app": "shop"}, order=[-200, "2026", "special"]
    )
    assert first_table(hub, token, pod["uid"], namespace)["digest"] == everyone
    assert first_table(hub, token, pod["uid"], namespace, app="shop")["digest"] == special


def test_a_tenants_token_opens_nothing_of_another_tenant(hub: HubInCluster, namespace: str) -> None:
    """Every endpoint, with the other's ids: the answer equals that for an unknown one, or 403."""
    publish(hub, "victim")
    existing = json.dumps({"budgets": json.loads(table("idle"))["budgets"]}).encode()
    told = {"content": existing, "headers": FENCE}
    assert hub.call(hub.controllers_token(), "PUT", "/v1/budgets", **told).status_code == 200
    pod = hub.pod(namespace, "thief")
    token = hub.pod_token(namespace, pod)
    other = f"/v1/stream?sidecar={pod['uid']}&boot=b&namespace=victim&labels=%7B%7D"
    assert hub.call(token, "GET", other).status_code == 403
    stranger = f"/v1/stream?sidecar=somebody&boot=b&namespace={namespace}"
    assert hub.call(token, "GET", stranger).status_code == 403
    accounts = ("victim/team/day", "idle/team/day", "victim/no/day")
    asked = sync(pod["uid"], *accounts)
    wanted = hub.call(token, "POST", "/v1/ledger/sync", json=asked).json()
    assert [denied["code"] for denied in wanted["denied"]] == ["unknown_account"] * 3
    assert (wanted["leases"], wanted["states"]) == ([], [])
    assert hub.call(token, "POST", "/v1/ledger/sync", json=sync("somebody")).status_code == 403
    report = {"sidecar": "somebody", "boot": "b", "digest": ""}
    assert hub.call(token, "POST", "/v1/reports", json=report).status_code == 403
    for method, path in (
        ("GET", "/v1/tables"),
        ("GET", "/v1/fleet"),
        ("GET", "/v1/budgets"),
        ("GET", "/v1/budgets?namespace=victim"),
        ("GET", "/v1/spend"),
        ("GET", "/v1/sidecars"),
        ("GET", "/metrics"),
        ("DELETE", "/v1/tables/victim/main"),
    ):
        assert hub.call(token, method, path).status_code == 403, path
    put = hub.call(token, "PUT", "/v1/tables/victim/main", content=table("victim"), headers=FENCE)
    assert put.status_code == 403
    assert hub.call(token, "PUT", "/v1/budgets", **told).status_code == 403
    known = hub.call(token, "GET", "/v1/decisions/pm-1")
    assert (known.status_code, known.json()["error"]["code"]) == (404, "not_found")


def test_a_new_ledger_does_not_tell_what_other_tenants_declare(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """In its first minute the other's Budget is as unknown as any; one's own is answered."""
    with hub_in_cluster(control_plane, tmp_path) as hub:
        publish(hub, "victim")
        pod = hub.pod(namespace, "thief")
        token = hub.pod_token(namespace, pod)
        told = []
        for name in ("victim/team/day", "victim/no/day"):
            answer = hub.call(token, "POST", "/v1/ledger/sync", json=sync(pod["uid"], name))
            told.append((answer.status_code, answer.text.replace(name, "NAME")))
        assert told[0] == told[1]
        assert told[0][0] == 503
        publish(hub, namespace)
        own = sync(pod["uid"], f"{namespace}/team/day")
        granted = hub.call(token, "POST", "/v1/ledger/sync", json=own)
        assert (granted.status_code, len(granted.json()["leases"])) == (200, 1)


def test_a_foreign_lease_that_a_pod_invents_is_not_booked(
    hub: HubInCluster, namespace: str
) -> None:
    """Spend reported on another namespace's account changes nothing there."""
    publish(hub, "victim")
    pod = hub.pod(namespace, "liar")
    lease = {"id": "u-1", "account": "victim/team/day", "spent": 10**12, "closed": True}
    asked = sync(pod["uid"]) | {"leases": [lease]}
    token = hub.pod_token(namespace, pod)
    assert hub.call(token, "POST", "/v1/ledger/sync", json=asked).status_code == 200
    held = hub.call(hub.controllers_token(), "GET", "/v1/budgets?namespace=victim").json()
    assert [row["settled"] for row in held] == [0]


def test_spend_is_shown_by_the_namespace_of_the_token(hub: HubInCluster, namespace: str) -> None:
    """Whatever namespace a sidecar claims for its usage, the token's is booked."""
    pod = hub.pod(namespace, "spender")
    usage = {"model": "main/a", "namespace": "victim", "requests": 3, "cost": 7}
    asked = sync(pod["uid"]) | {"usage": [usage]}
    token = hub.pod_token(namespace, pod)
    assert hub.call(token, "POST", "/v1/ledger/sync", json=asked).status_code == 200
    controller = hub.controllers_token()
    own = hub.call(controller, "GET", f"/v1/spend?namespace={namespace}").json()
    assert (own["total"]["requests"], own["total"]["cost"]) == (3, 7)
    victim = hub.call(controller, "GET", "/v1/spend?namespace=victim").json()
    assert victim["total"]["requests"] == 0


def test_tokens_of_other_kinds_let_nobody_speak_for_a_sidecar(
    hub: HubInCluster, namespace: str
) -> None:
    """No token, rubbish, another audience, no pod: none of them streams."""
    pod = hub.pod(namespace, "app")
    path = f"/v1/stream?sidecar={pod['uid']}&boot=b&namespace={namespace}"
    plane = hub.plane
    podless = plane.token(namespace, "default", audience="pointsman")
    foreign = plane.token(namespace, "default", audience="vault", pod=pod)
    api = plane.token(namespace, "default", pod=pod)
    statuses = {
        "rubbish": hub.call("rubbish", "GET", path).status_code,
        "podless": hub.call(podless, "GET", path).status_code,
        "foreign": hub.call(foreign, "GET", path).status_code,
        "api": hub.call(api, "GET", path).status_code,
    }
    assert statuses == {"rubbish": 401, "podless": 401, "foreign": 401, "api": 403}
    sent = hub.pod_token(namespace, pod)
    forged = sent[:-8] + ("A" * 8 if not sent.endswith("A" * 8) else "B" * 8)
    assert hub.call(forged, "GET", path).status_code == 401


def test_a_sidecars_token_is_refused_by_the_api_server(hub: HubInCluster, namespace: str) -> None:
    """Its audience is ours alone."""
    pod = hub.pod(namespace, "app")
    with hub.plane.client_with_token(hub.pod_token(namespace, pod)) as stolen:
        assert not stolen.reaches("/api/v1/namespaces")


def test_a_deleted_pods_stream_ends_and_its_token_is_refused(
    hub: HubInCluster, namespace: str
) -> None:
    """Within ten seconds, although the token is good for an hour."""
    pod = hub.pod(namespace, "leaving")
    token = hub.pod_token(namespace, pod)
    query = {"sidecar": pod["uid"], "boot": "b", "namespace": namespace}
    headers = {"authorization": f"Bearer {token}"}
    url = hub.process.url + "/v1/stream"
    with httpx.stream("GET", url, params=query, headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        next(lines)
        began = time.monotonic()
        hub.delete_pod(namespace, "leaving")
        for _ in lines:
            continue
    assert time.monotonic() - began < 10
    eventually(
        lambda: (
            hub.call(token, "POST", "/v1/ledger/sync", json=sync(pod["uid"])).status_code == 401
        ),
        within_s=10,
    )


def test_people_see_what_kubernetes_lets_them_see(hub: HubInCluster, namespace: str) -> None:
    """A right on Budgets in a namespace opens that namespace's Budgets, and no other's."""
    publish(hub, namespace)
    publish(hub, "victim")
    rbac = "rbac.authorization.k8s.io"
    own = {"name": "reader", "namespace": namespace}
    rule = {"apiGroups": ["pointsman.dev"], "resources": ["budgets"], "verbs": ["get"]}
    hub.plane.kubectl.apply(
        account(namespace, "reader"),
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": own, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": own,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", **own}],
        },
    )
    token = hub.plane.token(namespace, "reader")
    seen = hub.call(token, "GET", f"/v1/budgets?namespace={namespace}")
    assert [row["account"] for row in seen.json()] == [f"{namespace}/team/day"], seen.text
    assert hub.call(token, "GET", "/v1/budgets?namespace=victim").status_code == 403
    assert hub.call(token, "GET", "/v1/budgets").status_code == 403
    release = {"account": f"{namespace}/team/day", "window": "x", "reason": "because"}
    assert hub.call(token, "POST", "/v1/ledger/release", json=release).status_code == 403
    assert hub.call(token, "GET", "/metrics").status_code == 403


def test_metrics_are_for_those_who_may_see_all_budgets(hub: HubInCluster, namespace: str) -> None:
    """They tell of every namespace's money: nobody without a token, a scraper with the right."""
    publish(hub, "victim")
    assert hub.call("nobody", "GET", "/metrics").status_code == 401
    assert hub.call("nobody", "GET", "/healthz").status_code == 200
    rbac = "rbac.authorization.k8s.io"
    own = {"name": f"scraper-{namespace}"}
    rule = {"apiGroups": ["pointsman.dev"], "resources": ["budgets"], "verbs": ["get"]}
    hub.plane.kubectl.apply(
        account(namespace, "scraper"),
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": own, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": own,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", **own},
            "subjects": [{"kind": "ServiceAccount", "name": "scraper", "namespace": namespace}],
        },
    )
    token = hub.plane.token(namespace, "scraper")
    eventually(lambda: hub.call(token, "GET", "/metrics").status_code == 200, 20)
    assert "victim/team/day" in hub.call(token, "GET", "/metrics").text


def test_the_controller_waits_for_news_of_the_fleet(hub: HubInCluster, namespace: str) -> None:
    """The answer comes when something changes, with what the sidecar said of itself."""
    pod = hub.pod(namespace, "app")
    token = hub.pod_token(namespace, pod)
    controller = hub.controllers_token()

    def revision_after(known: int, wait_s: float) -> int:
        path = f"/v1/fleet?after={known}&wait={wait_s}"
        return int(hub.call(controller, "GET", path).json()["rev"])

    # The sidecars of the tests before may still be leaving: that is news as well.
    revision = revision_after(-1, 0)
    while (newer := revision_after(revision, 0.2)) != revision:
        revision = newer
    report = {
        "sidecar": pod["uid"],
        "boot": "b",
        "digest": "sha256:x",
        "version": "0.1.0",
        "ledger": "ok",
        "targets": {"main/a": "Open"},
        "credentials": {"openai/api-key": "missing"},
        "last_error": "none",
    }
    assert hub.call(token, "POST", "/v1/reports", json=report).status_code == 200
    news = hub.call(controller, "GET", f"/v1/fleet?after={revision}&wait=20").json()
    entry = next(row for row in news["sidecars"] if row["sidecar"] == pod["uid"])
    assert news["rev"] > revision
    told = {name: entry[name] for name in report if name != "boot"}
    assert told == {name: report[name] for name in told}
    asked = f"/v1/fleet?after={revision}&wait=20&changes=true"
    changes = hub.call(controller, "GET", asked).json()
    settled = f"/v1/fleet?after={changes['rev']}&changes=true"
    later = hub.call(controller, "GET", settled).json()
    assert not changes["whole"]
    assert not later["whole"]
    assert pod["uid"] in [row["sidecar"] for row in changes["sidecars"]]
    assert pod["uid"] not in [row["sidecar"] for row in later["sidecars"]]


def test_pods_that_come_back_cost_the_api_server_nothing(hub: HubInCluster, namespace: str) -> None:
    """Tokens are checked by the cluster's keys; only the news of a pod may need one review."""
    pods = [hub.pod(namespace, f"app-{number}") for number in range(10)]
    tokens = [hub.pod_token(namespace, pod) for pod in pods]
    audit = hub.plane.audit(from_now=True)
    for _ in range(10):
        for pod, token in zip(pods, tokens, strict=True):
            asked = sync(pod["uid"])
            assert hub.call(token, "POST", "/v1/ledger/sync", json=asked).status_code == 200
    reviews = [event for event in audit.by(USER) if "tokenreviews" in event["requestURI"]]
    assert len(reviews) <= len(pods)


def test_a_hub_that_starts_without_an_api_server_knows_its_sidecars(tmp_path: Path) -> None:
    """The cluster's keys are on disk: a good token is served, a forged one refused."""
    with ControlPlane() as mine, hub_in_cluster(mine, tmp_path) as hub:
        mine.kubectl("create", "namespace", "tenant")
        eventually(lambda: mine.kubectl("-n", "tenant", "get", "serviceaccount", "default"))
        pod = hub.pod("tenant", "app")
        token = hub.pod_token("tenant", pod)
        asked = sync(pod["uid"])
        assert hub.call(token, "POST", "/v1/ledger/sync", json=asked).status_code == 200
        mine.kill("kube-apiserver")
        hub.process.kill()
        hub.process.start()
        assert hub.call(token, "POST", "/v1/ledger/sync", json=asked).status_code == 200
        forged = token[:-8] + "AAAAAAAA"
        assert hub.call(forged, "POST", "/v1/ledger/sync", json=asked).status_code == 401


def test_the_hub_used_no_right_that_it_lacks(hub: HubInCluster) -> None:
    """The audit log of all that went before: nothing was refused to the hub."""
    audit = hub.plane.audit()
    assert audit.forbidden(USER) == set()
    assert audit.used(USER)
