"""People's commands reach a pod through the API server, and trust nobody else's certificate."""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness import apps, pods
from harness.cluster import Cluster
from harness.installation import HOME, Installation
from harness.kubectl import KubectlError
from harness.pki import Authority
from harness.provider import Provider
from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from support.eventually import eventually

pytestmark = pytest.mark.timeout(900)
PROGRAM = (Path(__file__).parent / "in_pods" / "hub.py").read_text()
CALL = """
from openai import OpenAI
asked = [{"role": "user", "content": "Say hello."}]
completions = OpenAI(max_retries=0).chat.completions.with_raw_response
print(completions.create(model="auto", messages=asked).headers["x-pointsman-request-id"])
"""
WAY = (("pods", "list"), ("configmaps", "get"), ("pods/portforward", "get,create"))
"""All that a person needs on the way to the hub; what they may see there is the hub's to say."""


def test_commands_reach_the_hub_by_port_forward(cluster: Cluster, restricted: str) -> None:
    """By the person's own token, under the hub's name; a foreign authority's hub is not asked."""
    kubectl = cluster.kubectl.within(restricted)
    kubectl.apply(*stand_in(cluster.authority, restricted))
    kubectl("rollout", "status", "statefulset/pointsman-hub", "--timeout=180s")
    kubectl("create", "serviceaccount", "ann")
    kubeconfig = cluster.kubeconfig_for_service_account(restricted, "ann", seconds=3600)
    command = ["budgets", "--json", "--kubeconfig", str(kubeconfig), "-n", "shop"]
    command += ["--operator-namespace", restricted]
    for resource, verbs in WAY:
        refused = CliRunner().invoke(APPLICATION, command)
        assert refused.exit_code == exits.FORBIDDEN, refused.output
        assert f"--verb={verbs} --resource={resource} -n {restricted}" in refused.stderr
        role = resource.replace("/", "-")
        kubectl("create", "role", role, f"--verb={verbs}", f"--resource={resource}")
        account = f"--serviceaccount={restricted}:ann"
        kubectl("create", "rolebinding", role, f"--role={role}", account)
        eventually(partial(_may, kubectl, restricted, resource), 60)
    asked = CliRunner().invoke(APPLICATION, command)
    assert asked.exit_code == exits.OK, asked.output
    small, large = (row["account"] for row in json.loads(asked.stdout))
    host, authorization, path = small.split("|")
    assert host == f"pointsman-hub.{restricted}.svc"
    assert authorization.startswith("Bearer ey")
    assert path == "/v1/budgets?namespace=shop"
    assert len(large) == 3_000_000
    kubectl.apply(bundle(Authority("somebody else").credential.certificate))
    distrusted = CliRunner().invoke(APPLICATION, command)
    assert distrusted.exit_code == exits.UNAVAILABLE
    assert "certificate verify failed" in distrusted.stderr


def test_a_person_asks_the_hub_of_an_installation(installed: Installation, restricted: str) -> None:
    """The app's own call, found again: its sidecar, its decision, its cost; others' stay hidden."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    kubectl.apply(*apps.three(restricted, simulated.url), apps.asking(apps.app()))
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    kubectl("wait", "--for=condition=Ready", "rpol/support", "bud/team", "--timeout=180s")
    called = kubectl.exec(apps.APP, "python3", "-c", CALL, container="app").strip()
    (pod,) = apps.running(kubectl)
    ann = _person(installed, restricted)

    def asked(*words: str, status: int = exits.OK) -> Any:
        said = CliRunner().invoke(APPLICATION, [*words, "--json", "--kubeconfig", str(ann)])
        assert said.exit_code == status, said.output
        return json.loads(said.stdout) if status == exits.OK else said.stderr

    here = ("-n", restricted)
    listed = asked("proxy-status", *here)
    (row,) = listed["sidecars"]
    assert (row["pod"], row["policy"]) == (pod["metadata"]["name"], "support")
    assert (row["connected"], row["current"]) == (True, True)
    eventually(lambda: asked("spend", *here)["total"]["requests"] == 1, apps.BOOKED_WITHIN_S)
    # Shortly before midnight the app's router holds money of tomorrow's window, too.
    (account,) = [row for row in asked("budgets", *here) if row["current"]]
    assert account["account"] == f"{restricted}/team/day"
    assert asked("spend", *here)["total"]["cost"] > 0
    decision = asked("explain", called, "--cluster")
    assert (decision["id"], decision["model"]) == (called, "main/m0")
    assert decision["budgets"][0]["account"] == account["account"]
    assert "needs the right to get" in asked("spend", "-n", "default", status=exits.FORBIDDEN)


def _person(installed: Installation, namespace: str) -> Path:
    """A kubeconfig whose account may go the way to the hub, and see one namespace there."""
    kubectl = installed.cluster.kubectl.within(namespace)
    kubectl("create", "serviceaccount", "ann")
    seen = [(namespace, f"{kind}.pointsman.dev", "get") for kind in ("budgets", "routingpolicies")]
    for place, resource, verbs in [*((HOME, *one) for one in WAY), *seen]:
        there = installed.cluster.kubectl.within(place)
        name = f"{namespace}-{resource.partition('.')[0].replace('/', '-')}"
        there("create", "role", name, f"--verb={verbs}", f"--resource={resource}")
        account = f"--serviceaccount={namespace}:ann"
        there("create", "rolebinding", name, f"--role={name}", account)
    return installed.cluster.kubeconfig_for_service_account(namespace, "ann", seconds=3600)


def _may(kubectl: Any, namespace: str, resource: str) -> bool:
    user = f"--as=system:serviceaccount:{namespace}:ann"
    name, _, subresource = resource.partition("/")
    verb = {"pods": "list", "configmaps": "get"}.get(resource, "create")
    asked = ("auth", "can-i", verb, name, f"--subresource={subresource}", user)
    try:
        return bool(kubectl(*asked).strip() == "yes")
    except KubectlError:
        return False


def bundle(certificate: bytes) -> dict[str, Any]:
    """The ConfigMap that the controller writes for people."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "pointsman-ca"},
        "data": {"ca.crt": certificate.decode()},
    }


def stand_in(authority: Authority, namespace: str) -> list[dict[str, Any]]:
    """A StatefulSet as the chart's, with its certificate and the bundle."""
    issued = authority.issue("hub", hosts=(f"pointsman-hub.{namespace}.svc",))
    pairs = {"tls.crt": issued.certificate, "tls.key": issued.key}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tls"},
        "data": {name: base64.b64encode(data).decode() for name, data in pairs.items()},
    }
    hub = pods.container(
        "hub",
        *("python3", "-c", PROGRAM),
        image=pods.PYTHON,
        ports=[{"name": "https", "containerPort": 4620}],
        volumeMounts=[{"name": "tls", "mountPath": "/tls"}],
        readinessProbe={"tcpSocket": {"port": 4620}, "periodSeconds": 1},
    )
    volume = {"name": "tls", "secret": {"secretName": "tls"}}
    labels = {"app.kubernetes.io/component": "hub"}
    template = {"metadata": {"labels": labels}, "spec": pods.spec(hub, volumes=[volume])}
    stateful = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "pointsman-hub"},
        "spec": {
            "serviceName": "pointsman-hub",
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }
    return [bundle(authority.credential.certificate), secret, stateful]
