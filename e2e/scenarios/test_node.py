"""The cluster itself does what real ones do; every scenario rests on this."""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness import pods
from harness.cluster import Cluster
from harness.kubectl import Kubectl, KubectlError
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

PROGRAMS = Path(__file__).parent / "in_pods"
PORT = 8000
GREET, FETCH, HOOK = ((PROGRAMS / f"{name}.py").read_text() for name in ("greet", "fetch", "hook"))
HOG = "x = []\nwhile True: x.append(bytearray(1 << 20))"
IDLE = "import time; time.sleep(600)"


def test_a_deployment_with_a_native_sidecar_rolls_out(cluster: Cluster, restricted: str) -> None:
    """Under `restricted`; the sidecar listens before the app starts, as its startup probe says."""
    kubectl = cluster.kubectl.within(restricted)
    sidecar = pods.container(
        "router",
        *("python3", "-c", GREET),
        image=pods.PYTHON,
        restartPolicy="Always",
        startupProbe={"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    )
    asks = [f"http://127.0.0.1:{PORT}/"]
    app = pods.container("app", "python3", "-uc", f"{FETCH}\n{IDLE}", image=pods.PYTHON, args=asks)
    kubectl.apply(pods.deployment("app", sidecar, app, replicas=2))
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    for pod in _pods(kubectl):
        eventually(partial(_wrote_hello, kubectl, pod), 20)


def test_restricted_refuses_a_pod_with_privileges(cluster: Cluster, restricted: str) -> None:
    """Pod security is enforced: a bare pod is told what it lacks."""
    bare = pods.pod("bare", pods.container("app", "sleep", "600"))
    del bare["spec"]["securityContext"]
    with pytest.raises(KubectlError, match="violates PodSecurity"):
        cluster.kubectl.within(restricted).apply(bare)


def test_a_service_has_a_name_and_an_address(cluster: Cluster, restricted: str) -> None:
    """DNS resolves a Service, from another pod and from its own backend, and it answers."""
    kubectl = cluster.kubectl.within(restricted)
    server = pods.container("server", "python3", "-c", GREET, image=pods.PYTHON)
    client = pods.container("client", "python3", "-c", IDLE, image=pods.PYTHON)
    kubectl.apply(
        pods.deployment("app", server),
        pods.pod("client", client),
        pods.service("app", 80, PORT),
    )
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=180s")
    for place in ("app", f"app.{restricted}", f"app.{restricted}.svc.cluster.local"):
        for pod in ("client", "deployment/app"):
            eventually(partial(_fetched, kubectl, pod, place), 20)


def test_the_outside_world_is_what_the_test_says(cluster: Cluster, restricted: str) -> None:
    """No name of the internet resolves, unless a test points it at something in here."""
    kubectl = cluster.kubectl.within(restricted)
    server = pods.container("server", "python3", "-c", GREET, image=pods.PYTHON)
    client = pods.container("client", "python3", "-c", IDLE, image=pods.PYTHON)
    provider = pods.service("provider", 80, PORT)
    kubectl.apply(pods.deployment("provider", server), pods.pod("client", client), provider)
    kubectl("rollout", "status", "deployment/provider", "--timeout=180s")
    kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=180s")
    with pytest.raises(KubectlError, match="Name or service not known"):
        kubectl.exec("client", "python3", "-c", FETCH, "http://api.example.org/")
    address = kubectl.json("get", "service", "provider")["spec"]["clusterIP"]
    cluster.point("api.example.org", address)
    eventually(partial(_fetched, kubectl, "client", "api.example.org"), 30)


def test_a_webhook_is_called_by_its_service(cluster: Cluster, restricted: str) -> None:
    """The API server reaches a pod through a Service, checks its certificate, takes its patch."""
    kubectl = cluster.kubectl.within(restricted)
    issued = cluster.authority.issue("hook", hosts=(f"hook.{restricted}.svc",))
    pairs = {"tls.crt": issued.certificate, "tls.key": issued.key}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tls"},
        "data": {name: base64.b64encode(data).decode() for name, data in pairs.items()},
    }
    hook = pods.container(
        "hook",
        *("python3", "-c", HOOK),
        image=pods.PYTHON,
        volumeMounts=[{"name": "tls", "mountPath": "/tls"}],
        readinessProbe={"tcpSocket": {"port": 8443}, "periodSeconds": 1},
    )
    volume = {"name": "tls", "secret": {"secretName": "tls"}}
    kubectl.apply(
        secret, pods.deployment("hook", hook, volumes=[volume]), pods.service("hook", 443, 8443)
    )
    kubectl("rollout", "status", "deployment/hook", "--timeout=180s")
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    cluster.api.create(path, _configuration(cluster, restricted))
    try:
        eventually(lambda: _patched(kubectl), 20)
    finally:
        cluster.api.delete(f"{path}/{restricted}")


def test_what_takes_too_much_memory_is_killed_alone(cluster: Cluster, restricted: str) -> None:
    """A container over its limit is OOMKilled and comes back; the one beside it is untouched."""
    kubectl = cluster.kubectl.within(restricted)
    limit = {"limits": {"memory": "32Mi"}}
    hog = pods.container("hog", "python3", "-c", HOG, image=pods.PYTHON, resources=limit)
    kubectl.apply(pods.pod("app", hog, pods.container("calm", "sleep", "600")))
    eventually(lambda: "OOMKilled" in json.dumps(_statuses(kubectl, "app").get("hog")), 60)
    eventually(lambda: _statuses(kubectl, "app")["hog"]["restartCount"] > 0, 60)
    assert _statuses(kubectl, "app")["calm"]["restartCount"] == 0


def test_a_killed_container_is_started_again(cluster: Cluster, restricted: str) -> None:
    """Tests may kill a container of a pod; the pod itself stays."""
    kubectl = cluster.kubectl.within(restricted)
    kubectl.apply(pods.pod("app", pods.container("app", "sleep", "600")))
    kubectl("wait", "--for=condition=Ready", "pod/app", "--timeout=180s")
    before = kubectl.json("get", "pod", "app")["metadata"]["uid"]
    cluster.kill_container(restricted, "app", "app")
    eventually(lambda: _statuses(kubectl, "app")["app"]["restartCount"] == 1, 30)
    eventually(lambda: _statuses(kubectl, "app")["app"]["ready"], 30)
    assert kubectl.json("get", "pod", "app")["metadata"]["uid"] == before


def test_mounted_objects_follow_their_sources(cluster: Cluster, restricted: str) -> None:
    """A changed ConfigMap reaches a running pod within seconds; a token names its pod."""
    kubectl = cluster.kubectl.within(restricted)
    kubectl("create", "configmap", "tables", "--from-literal=table=one")
    token = {"audience": "pointsman", "expirationSeconds": 3600, "path": "token"}
    volumes = [
        {"name": "tables", "configMap": {"name": "tables"}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
    ]
    mounts = [{"name": name, "mountPath": f"/run/{name}"} for name in ("tables", "token")]
    reader = pods.container("app", "sleep", "600", volumeMounts=mounts)
    kubectl.apply(pods.pod("app", reader, volumes=volumes))
    kubectl("wait", "--for=condition=Ready", "pod/app", "--timeout=180s")
    assert kubectl.exec("app", "cat", "/run/tables/table") == "one"
    cluster.api.merge(
        f"/api/v1/namespaces/{restricted}/configmaps/tables", {"data": {"table": "two"}}
    )
    eventually(lambda: kubectl.exec("app", "cat", "/run/tables/table") == "two", 20)
    claims = _claims(kubectl.exec("app", "cat", "/run/token/token"))
    assert claims["aud"] == ["pointsman"]
    assert claims["kubernetes.io"]["pod"]["name"] == "app"


@pytest.mark.parametrize("daemon", ["kubelet", "containerd", "kube-apiserver"])
def test_pods_outlive_what_runs_them(cluster: Cluster, restricted: str, daemon: str) -> None:
    """A killed daemon that comes back finds the containers where they were."""
    kubectl = cluster.kubectl.within(restricted)
    kubectl.apply(pods.pod("app", pods.container("app", "sleep", "600")))
    kubectl("wait", "--for=condition=Ready", "pod/app", "--timeout=180s")
    before = _statuses(kubectl, "app")["app"]["containerID"]
    cluster.kill(daemon)
    cluster.start(daemon)
    cluster.wait_ready()
    cluster.wait_node_ready()
    eventually(partial(_answers, kubectl, "app"), 30)
    assert _statuses(kubectl, "app")["app"]["containerID"] == before


def _pods(kubectl: Kubectl) -> list[str]:
    return [item["metadata"]["name"] for item in kubectl.json("get", "pods")["items"]]


def _statuses(kubectl: Kubectl, pod: str) -> dict[str, dict[str, Any]]:
    status = kubectl.json("get", "pod", pod)["status"]
    return {each["name"]: each for each in status.get("containerStatuses", [])}


def _wrote_hello(kubectl: Kubectl, pod: str) -> bool:
    return "hello" in kubectl.logs(pod, "app")


def _fetched(kubectl: Kubectl, pod: str, host: str) -> bool:
    try:
        return "hello" in kubectl.exec(pod, "python3", "-c", FETCH, f"http://{host}/")
    except KubectlError:
        return False


def _answers(kubectl: Kubectl, pod: str) -> bool:
    """Whether commands can be run in a pod; a kubelet that has just started needs a moment."""
    try:
        return kubectl.exec(pod, "echo", "here").strip() == "here"
    except KubectlError:
        return False


def _patched(kubectl: Kubectl) -> bool:
    """Whether a new ConfigMap comes back as the webhook patches it; not yet is no error."""
    kubectl("delete", "configmap", "probe", "--ignore-not-found")
    try:
        kubectl("create", "configmap", "probe")
    except KubectlError:
        return False  # the Service's rules follow its endpoints by a second
    stored = kubectl.json("get", "configmap", "probe")
    return bool(stored.get("data") == {"seen": "yes"})


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def _configuration(cluster: Cluster, namespace: str) -> dict[str, Any]:
    hook = {
        "name": "hook.pointsman.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {
            "service": {"name": "hook", "namespace": namespace},
            "caBundle": base64.b64encode(cluster.ca.encode()).decode(),
        },
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["configmaps"],
                "operations": ["CREATE"],
            }
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [hook],
    }
