"""People's commands against a hub in a cluster: real tokens, real rights, an API server's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from harness.control_plane import ControlPlane
from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from support.eventually import eventually
from support.hub_in_cluster import HubInCluster, hub_in_cluster
from support.hub_process import FENCE, budget, route_table

pytestmark = pytest.mark.timeout(180)
RUN = CliRunner()
GROUP = "pointsman.dev"


@pytest.fixture(scope="module")
def hub(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubInCluster]:
    """One hub for these tests."""
    with hub_in_cluster(control_plane, tmp_path_factory.mktemp("hub")) as running:
        yield running


def person(plane: ControlPlane, namespace: str, *resources: str, verb: str = "get") -> Path:
    """A kubeconfig of a ServiceAccount with these rights in its namespace."""
    kubectl = plane.kubectl.within(namespace)
    kubectl("create", "serviceaccount", "ann")
    for resource in resources:
        name = resource.partition(".")[0].replace("/", "-")
        kubectl("create", "role", name, f"--verb={verb}", f"--resource={resource}")
        kubectl(
            *("create", "rolebinding", name, f"--role={name}"),
            f"--serviceaccount={namespace}:ann",
        )
    return plane.kubeconfig_for_service_account(namespace, "ann", seconds=3600)


def run(kubeconfig: Path, *words: str) -> Result:
    """One command by that person."""
    return RUN.invoke(APPLICATION, [*words, "--kubeconfig", str(kubeconfig)])


def publish(hub: HubInCluster, namespace: str, **more: Any) -> str:
    """Put a table of that namespace as the controller does; its digest."""
    own = budget(10**12) | {"namespace": namespace}
    document = json.loads(route_table(own, policy="main", **more))
    document["policy"]["namespace"] = namespace
    content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    target = {"labels": {}, "order": [-100, "2026", "main"]}
    headers = FENCE | {"x-pointsman-target": json.dumps(target)}
    path = f"/v1/tables/{namespace}/main"
    answer = hub.call(hub.controllers_token(), "PUT", path, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["digest"])


def report(hub: HubInCluster, namespace: str, pod: dict[str, str], digest: str) -> None:
    """What a sidecar's supervisor says of itself, after a stream that it opened and left."""
    token = hub.pod_token(namespace, pod)
    labels = "&labels=%7B%7D"
    path = f"/v1/stream?sidecar={pod['uid']}&boot=b&namespace={namespace}&digest={digest}{labels}"
    headers = {"authorization": f"Bearer {token}"}
    with httpx.stream("GET", hub.url + path, headers=headers, timeout=20) as stream:
        assert stream.status_code == 200, stream.read()
    said = {"sidecar": pod["uid"], "boot": "b", "digest": digest, "version": "0.1.0"}
    assert hub.call(token, "POST", "/v1/reports", json=said).status_code == 200


def test_a_person_with_the_right_sees_their_namespace(
    hub: HubInCluster, crds: ControlPlane, namespace: str
) -> None:
    """Budgets, spend and sidecars of one namespace, by the kubeconfig's own token."""
    digest = publish(hub, namespace)
    pod = hub.pod(namespace, "app")
    report(hub, namespace, pod, digest)
    kinds = ("budgets", "routingpolicies", "modelpools")
    ann = person(crds, namespace, *(f"{kind}.{GROUP}" for kind in kinds))
    place = ("-n", namespace, "--hub", hub.url)
    limits = run(ann, "limits", "--routers", "--json", *place)
    assert (limits.exit_code, limits.stdout.strip()) == (exits.OK, "[]"), limits.output
    budgets = run(ann, "budgets", "--json", *place)
    assert budgets.exit_code == exits.OK, budgets.output
    assert [row["account"] for row in json.loads(budgets.stdout)] == [f"{namespace}/team/day"]
    assert run(ann, "spend", *place).exit_code == exits.OK
    status = run(ann, "proxy-status", "--json", *place)
    (row,) = json.loads(status.stdout)["sidecars"]
    assert (row["pod"], row["policy"], row["current"]) == ("app", "main", True)
    # Its stream is closed: current, but not connected.
    assert status.exit_code == exits.REFUSED
    assert not row["connected"]


def test_a_pod_that_is_gone_is_not_listed(
    hub: HubInCluster, crds: ControlPlane, namespace: str
) -> None:
    """Else no namespace in which a pod was ever deleted would be called well."""
    digest = publish(hub, namespace)
    pod = hub.pod(namespace, "app")
    report(hub, namespace, pod, digest)
    ann = person(crds, namespace, f"routingpolicies.{GROUP}")
    command = ("proxy-status", "-n", namespace, "--hub", hub.url)
    assert run(ann, *command).exit_code == exits.REFUSED
    hub.delete_pod(namespace, "app")
    eventually(lambda: run(ann, *command).exit_code == exits.OK, within_s=20)


def test_without_a_right_the_rule_to_grant_is_named(
    hub: HubInCluster, crds: ControlPlane, namespace: str
) -> None:
    """Status 77; the message names the right, the remedy the command that grants it."""
    ann = person(crds, namespace)
    for command in ("spend", "budgets", "limits", "proxy-status"):
        for place in (("-n", namespace), ("-A",)):
            refused = run(ann, command, *place, "--hub", hub.url)
            assert refused.exit_code == exits.FORBIDDEN, refused.output
            assert "needs the right to get" in refused.stderr
            assert "kubectl create" in refused.stderr
    unknown = run(ann, "explain", "pm-nobody", "--hub", hub.url)
    assert unknown.exit_code == exits.NOT_FOUND
    assert "may not see" in unknown.stderr


def test_the_granting_command_grants(hub: HubInCluster, crds: ControlPlane, namespace: str) -> None:
    """What the remedy prints is run as it stands, but for the user; then the command works."""
    ann = person(crds, namespace)
    command = ("budgets", "-n", namespace, "--hub", hub.url)
    advice = run(ann, *command).stderr.partition("runs: ")[2].strip()
    for line in advice.split(" && "):
        words = line.split()[1:]
        user = f"--user=system:serviceaccount:{namespace}:ann"
        crds.kubectl(*(user if word == "--user=USER" else word for word in words))
    eventually(lambda: run(ann, *command).exit_code == exits.OK, within_s=30)


def test_who_is_nobody_is_told_how_to_get_a_token(
    hub: HubInCluster, crds: ControlPlane, namespace: str
) -> None:
    """A token that the cluster does not know; a client certificate, which the hub cannot see."""
    ann = person(crds, namespace)
    command = ("budgets", "-n", namespace, "--hub", hub.url)
    stranger = run(ann, *command, "--token", "stranger")
    assert stranger.exit_code == exits.FORBIDDEN
    assert "kubectl create token" in stranger.stderr
    certificate = crds.kubeconfig_for_user("bea")
    nameless = run(certificate, *command)
    assert nameless.exit_code == exits.UNAVAILABLE
    assert '--token "$(kubectl create token' in nameless.stderr
    made = crds.kubectl.within(namespace)("create", "token", "ann").strip()
    assert run(certificate, *command, "--token", made).exit_code == exits.FORBIDDEN


def test_the_way_to_the_hubs_pod_names_what_is_missing(crds: ControlPlane, namespace: str) -> None:
    """No right, no pod, a pod that does not run: each with its own remedy."""
    ann = person(crds, namespace)
    command = ("budgets", "--operator-namespace", namespace)
    blind = run(ann, *command)
    assert blind.exit_code == exits.FORBIDDEN
    assert "list pods" in blind.stderr
    assert "--verb=list --resource=pods" in blind.stderr
    user = f"--serviceaccount={namespace}:ann"
    kubectl = crds.kubectl.within(namespace)
    kubectl("create", "role", "way", "--verb=get,list", "--resource=pods,configmaps")
    kubectl("create", "rolebinding", "way", "--role=way", user)
    eventually(lambda: "no pod of a hub" in run(ann, *command).stderr, within_s=30)
    assert "--operator-namespace" in run(ann, *command).stderr
    labels = {"app.kubernetes.io/component": "hub"}
    container = {"name": "hub", "image": "localhost/none:1", "ports": [{"containerPort": 4620}]}
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pointsman-hub-0", "labels": labels},
            "spec": {"containers": [container]},
        }
    )
    waiting = run(ann, *command)
    assert waiting.exit_code == exits.UNAVAILABLE
    assert f"kubectl describe pod pointsman-hub-0 -n {namespace}" in waiting.stderr
