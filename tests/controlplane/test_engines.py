"""Self-hosted models through a real API server: Services, pods by label, engines over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from harness.control_plane import ControlPlane
from pointsman_operator.compile.endpoints import pool_endpoints
from support import resources as make
from support.engines import engines
from support.eventually import eventually
from support.hub_in_cluster import HOME, HUB, HubInCluster, hub_in_cluster

pytestmark = pytest.mark.timeout(180)
FENCE = {"x-pointsman-fence": "installation,1,boot"}
USER = f"system:serviceaccount:{HOME}:{HUB}"
WITHIN_S = 30.0
NOWHERE = ("192.0.2.7", "192.0.2.8")
"""Addresses that nobody has (RFC 5737): no figures come from there, and they are called anyway."""


@pytest.fixture(scope="module")
def hub(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubInCluster]:
    """One hub for these tests."""
    with hub_in_cluster(control_plane, tmp_path_factory.mktemp("hub")) as running:
        yield running


@dataclass
class Scene:
    """A namespace with a policy over one self-hosted model, and a sidecar that listens."""

    hub: HubInCluster
    namespace: str

    def publish(self, endpoints: dict[str, Any], **server: Any) -> None:
        """Pool and table, as the controller hands them over."""
        server = {"engine": "vLLM", **server}
        pool = make.parsed(
            make.pool(make.own("own", endpoints, **server), namespace=self.namespace)
        )
        document = pool_endpoints(pool)  # type: ignore[arg-type]  # parsed as a ModelPool
        assert document is not None
        self._put(f"/v1/pools/{self.namespace}/main", document.canonical())
        named = {"namespace": self.namespace, "name": "main"}
        table = {
            "version": 1,
            "minReader": 1,
            "policy": {"namespace": self.namespace, "name": "support"},
            "models": [{"name": "main/own", "pool": named, "provider": {"endpoints": "Pods"}}],
            "budgets": [],
        }
        target = {"x-pointsman-target": json.dumps({"labels": {}, "order": [0, "", "support"]})}
        content = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
        self._put(f"/v1/tables/{self.namespace}/support", content, target)

    def listens(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What a sidecar is told of the model, as soon as it is what is expected."""
        pod = self.hub.plane.api.get(f"/api/v1/namespaces/{self.namespace}/pods/app")
        uid = str(pod["metadata"]["uid"])
        token = self.hub.pod_token(self.namespace, {"name": "app", "uid": uid})
        query = {"sidecar": uid, "boot": "b", "namespace": self.namespace, "labels": "{}"}
        seen: list[dict[str, Any]] = []
        with httpx.stream(
            "GET",
            f"{self.hub.url}/v1/stream",
            params=query,
            headers={"authorization": f"Bearer {token}"},
            timeout=WITHIN_S,
        ) as answer:
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["event"] == "fleet":
                    seen.append(event["models"]["main/own"])
                    if holds(seen[-1]):
                        return seen[-1]
                assert event["event"] != "ping" or len(seen) < 100, seen
        raise AssertionError(seen)

    def told(self) -> dict[str, Any]:
        """What the controller is told of the model; empty: nothing yet."""
        answer = self.hub.call(self.hub.controllers_token(), "GET", "/v1/fleet")
        rows = [row for row in answer.json()["models"] if row["namespace"] == self.namespace]
        return dict(rows[0]) if rows else {}

    def _put(self, path: str, content: bytes, more: dict[str, str] | None = None) -> None:
        token = self.hub.controllers_token()
        answer = self.hub.call(token, "PUT", path, content=content, headers=FENCE | (more or {}))
        assert answer.status_code == 200, answer.text


@pytest.fixture
def scene(hub: HubInCluster, namespace: str) -> Scene:
    """With a pod whose sidecar listens."""
    hub.pod(namespace, "app")
    return Scene(hub, namespace)


def urls(model: dict[str, Any]) -> set[str]:
    """Those that may be called."""
    return {row["url"] for row in model["endpoints"]}


def endpoint_slice(namespace: str, *ready: str, starting: tuple[str, ...] = ()) -> dict[str, Any]:
    """As the endpoint-slice controller writes them."""
    found = [(address, True) for address in ready] + [(address, False) for address in starting]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "vllm-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": "vllm"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "metrics", "port": 9090}, {"name": "http", "port": 8000}],
        "endpoints": [{"addresses": [it], "conditions": {"ready": ok}} for it, ok in found],
    }


def test_a_services_endpoints_by_the_services_port(scene: Scene) -> None:
    """Nothing there, then one that starts, then ready, then gone; each is told with its reason."""
    plane, kubectl = scene.hub.plane, scene.hub.plane.kubectl.within(scene.namespace)
    scene.publish({"service": {"name": "vllm", "port": 80}})
    assert scene.listens(lambda _: True)["state"] == "Absent"
    eventually(lambda: "there is no Service" in scene.told().get("message", ""), WITHIN_S)
    ports = [{"name": "metrics", "port": 9090}, {"name": "http", "port": 80, "targetPort": 8000}]
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "vllm"},
            "spec": {"ports": ports},
        },
        endpoint_slice(scene.namespace, starting=NOWHERE[:1]),
    )
    scene.listens(lambda model: model["state"] == "Starting")
    kubectl.apply(endpoint_slice(scene.namespace, NOWHERE[0], starting=NOWHERE[1:]))
    found = scene.listens(lambda model: model["state"] == "Ready")
    assert found["endpoints"] == [{"url": f"http://{NOWHERE[0]}:8000", "level": 0}]
    eventually(lambda: (scene.told()["ready"], scene.told()["endpoints"]) == (1, 2), WITHIN_S)
    kubectl("delete", "endpointslice", "vllm-1")
    scene.listens(lambda model: model["state"] == "Absent")
    assert plane.audit().forbidden(USER) == set()


def test_pods_by_label_that_fill_sleep_and_vanish(scene: Scene) -> None:
    """Levels come from the engines' own pages; a hub that starts anew finds everything again."""
    labels = {"app": "vllm"}
    with engines(2) as (first, second):
        for name, engine in (("v1", first), ("v2", second)):
            scene.hub.pod(scene.namespace, name, **labels)
            _runs(scene, name, engine.host)
        scene.publish({"podSelector": {"matchLabels": labels, "port": first.port}})
        both = {first.url, second.url}
        scene.listens(lambda model: urls(model) == both)
        first.waits(9)
        scene.listens(lambda model: {"url": first.url, "level": 4} in model["endpoints"])
        second.sleeps(asleep=True)
        scene.listens(lambda model: urls(model) == {first.url})
        scene.hub.process.stop()
        scene.hub.process.start()
        scene.listens(lambda model: model["endpoints"] == [{"url": first.url, "level": 4}])
        scene.hub.delete_pod(scene.namespace, "v1")
        scene.listens(lambda model: model["state"] == "Asleep")
        second.sleeps(asleep=False)
        scene.listens(lambda model: urls(model) == {second.url})
    assert scene.hub.plane.audit().forbidden(USER) == set()


def test_a_router_that_waits_for_first_tokens_fills_an_endpoint(scene: Scene) -> None:
    """The engine tells of no queue; the sidecar's report alone makes it Full."""
    labels = {"app": "vllm"}
    with engines(1) as (engine,):
        engine.page = "vllm:num_requests_waiting 0\nvllm:num_requests_running 40\n"
        made = scene.hub.pod(scene.namespace, "v1", **labels)
        assert made["uid"]
        _runs(scene, "v1", engine.host)
        scene.publish({"podSelector": {"matchLabels": labels, "port": engine.port}})
        scene.listens(lambda model: urls(model) == {engine.url})
        seen = {"first_token_ms": 9_000, "between_tokens_ms": 20, "in_flight": 9, "served": 5}
        pod = scene.hub.plane.api.get(f"/api/v1/namespaces/{scene.namespace}/pods/app")
        uid = str(pod["metadata"]["uid"])
        token = scene.hub.pod_token(scene.namespace, {"name": "app", "uid": uid})
        report = {"sidecar": uid, "boot": "b", "endpoints": {"main/own": {engine.url: seen}}}
        answer = scene.hub.call(token, "POST", "/v1/reports", json=report)
        assert answer.status_code == 200, answer.text
        scene.listens(lambda model: model["endpoints"] == [{"url": engine.url, "level": 4}])
        scene.listens(lambda model: model["endpoints"] == [{"url": engine.url, "level": 0}])


def _runs(scene: Scene, pod: str, address: str) -> None:
    """As the kubelet would say it."""
    path = f"/api/v1/namespaces/{scene.namespace}/pods/{pod}/status"
    ready = {"type": "Ready", "status": "True"}
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [ready],
    }
    scene.hub.plane.api.merge(path, {"status": status})
