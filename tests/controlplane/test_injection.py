"""Injection through a real API server: its selectors, defaults, validation, quota and standards."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from pointsman_operator.inject.names import NOT_INJECTED, STATUS
from support.eventually import eventually
from support.injection_world import WEBHOOKS, InjectionWorld, plain, warned
from support.injector_process import InjectorProcess
from support.pods import environment, sidecar_of

pytestmark = pytest.mark.timeout(180)
NAMES = [
    *("pointsman-token", "pointsman-tables", "pointsman-credentials"),
    *("pointsman-labels", "pointsman-state"),
]


@pytest.fixture(scope="module")
def world(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InjectionWorld]:
    """One installation for these tests."""
    installed = InjectionWorld.installed(control_plane, tmp_path_factory.mktemp("injector"))
    try:
        installed.start()
        yield installed
    finally:
        installed.close()


@pytest.fixture
def enabled(world: InjectionWorld, namespace: str) -> str:
    """A namespace whose pods are injected, already."""
    world.label(namespace, injection="enabled")
    world.in_force(namespace)
    return namespace


def test_an_enabled_namespaces_pods_get_a_sidecar_that_the_api_server_takes(
    world: InjectionWorld, enabled: str
) -> None:
    """The patch passes validation; the pod is marked; the hub's bundle of now is in it."""
    made = world.tried(enabled)
    assert [it["name"] for it in made["spec"]["initContainers"]] == ["pointsman"]
    assert made["metadata"]["labels"]["pointsman.dev/injected"] == "true"
    assert json.loads(made["metadata"]["annotations"][STATUS])["version"]
    assert set(NAMES) <= {it["name"] for it in made["spec"]["volumes"]}
    assert environment(made["spec"]["containers"][0])["POINTSMAN_URL"]
    world.bundle("the next bundle")
    world.until(
        lambda: (
            environment(sidecar_of(world.tried(enabled)))["POINTSMAN_HUB_CA"] == "the next bundle"
        )
    )


def test_the_router_gets_no_token_of_the_api_server_and_costs_one_review(
    world: InjectionWorld, enabled: str
) -> None:
    """What the API server would add to our container it would ask about once more."""
    assert world.injector is not None
    before = _reviews(world.injector)
    made = world.tried(enabled)
    assert _reviews(world.injector) == before + 1
    automatic = "kube-api-access-"
    app, ours = made["spec"]["containers"][0], sidecar_of(made)
    assert any(it["name"].startswith(automatic) for it in app["volumeMounts"])
    assert not any(it["name"].startswith(automatic) for it in ours["volumeMounts"])


def test_the_restricted_standard_admits_what_we_make(world: InjectionWorld, enabled: str) -> None:
    """Pod security enforced at `restricted`: a good pod stays good, a bad one stays refused."""
    world.label(enabled, pod_enforce="restricted")
    bad = plain()
    del bad["spec"]["containers"][0]["securityContext"]

    said: list[str] = []

    def refused() -> bool:
        try:
            world.tried(enabled, bad)
        except RefusedError as error:
            said.append(error.message)
        return bool(said)

    world.until(refused)
    assert "PodSecurity" in said[0]
    assert 'container "pointsman"' not in said[0]
    assert sidecar_of(world.tried(enabled))["securityContext"]["runAsNonRoot"] is True


def test_a_pod_as_root_gets_a_sidecar_that_is_not(world: InjectionWorld, enabled: str) -> None:
    """`runAsUser: 0` of the pod would be inherited; ours says another."""
    rooted = plain()
    rooted["spec"]["securityContext"] = {"runAsUser": 0, "fsGroup": 1000680000}
    rooted["spec"]["containers"][0]["securityContext"] = {}
    assert sidecar_of(world.tried(enabled, rooted))["securityContext"]["runAsUser"] == 65532


def test_a_quota_that_wants_every_size_said_admits_the_pod(
    world: InjectionWorld, enabled: str
) -> None:
    """Limits and requests are said as the quota demands; when it is used up the pod starts bare."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "all"},
        "spec": {"hard": {f"{kind}.{it}": "2" if it == "cpu" else "1Gi"
                          for kind in ("limits", "requests") for it in ("cpu", "memory")}},
    }  # fmt: skip
    sized = plain()
    amounts = {"cpu": "1", "memory": "512Mi"}
    sized["spec"]["containers"][0]["resources"] = {"limits": amounts, "requests": amounts}
    world.cluster.api.create(f"/api/v1/namespaces/{enabled}/resourcequotas", quota)
    world.until(lambda: "cpu" in sidecar_of(world.tried(enabled, sized))["resources"]["limits"])
    made = world.cluster.api.create(f"/api/v1/namespaces/{enabled}/pods", sized)
    assert made["status"]["qosClass"] == "Guaranteed"
    other = json.loads(json.dumps(sized))
    other["metadata"]["name"] = "other"
    half = {"cpu": "800m", "memory": "256Mi"}
    other["spec"]["containers"][0]["resources"] = {"limits": half, "requests": half}
    world.until(lambda: NOT_INJECTED in world.tried(enabled, other)["metadata"]["annotations"])
    mark = json.loads(world.tried(enabled, other)["metadata"]["annotations"][NOT_INJECTED])
    assert mark["reason"] == "Quota"


def test_a_limit_range_is_kept(world: InjectionWorld, enabled: str) -> None:
    """Minimum, maximum, default and ratio at once, as the API server itself checks them."""
    item = {
        "type": "Container",
        "min": {"cpu": "50m", "memory": "32Mi"},
        "max": {"cpu": "500m", "memory": "200Mi"},
        "default": {"cpu": "100m", "memory": "64Mi"},
        "maxLimitRequestRatio": {"cpu": "4", "memory": "2"},
    }
    document = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "range"},
        "spec": {"limits": [item]},
    }
    world.cluster.api.create(f"/api/v1/namespaces/{enabled}/limitranges", document)

    burstable = plain()
    amounts = {"cpu": "60m", "memory": "40Mi"}
    burstable["spec"]["containers"][0]["resources"] = {"requests": amounts}

    def fitted() -> bool:
        found = sidecar_of(world.tried(enabled, burstable))["resources"]
        return bool(found["limits"]["memory"] == "200Mi")

    world.until(fitted)
    found = sidecar_of(world.tried(enabled, burstable))["resources"]
    assert found["requests"] == {"cpu": "50m", "memory": "100Mi"}


def test_annotating_a_deployment_is_all_it_takes(world: InjectionWorld, namespace: str) -> None:
    """`kubectl annotate` labels the template in the same write; unannotating takes it back."""
    kubectl = world.cluster.kubectl.within(namespace)
    kubectl("create", "deployment", "shop", "--image=example/app:1")

    def label() -> str | None:
        template = kubectl.json("get", "deployment", "shop")["spec"]["template"]
        found: str | None = template["metadata"]["labels"].get("pointsman.dev/inject")
        return found

    before = kubectl.json("get", "deployment", "shop")["spec"]

    def annotated() -> bool:
        kubectl("annotate", "deployment", "shop", "--overwrite", "pointsman.dev/inject=true")
        return label() == "true"

    world.until(annotated)

    def pods() -> list[dict[str, Any]]:
        found = kubectl.json("get", "pods", "-l", "pointsman.dev/injected=true")
        items: list[dict[str, Any]] = found["items"]
        return items

    world.until(pods)
    assert environment(sidecar_of(pods()[0]))["POINTSMAN_WORKLOAD"] == "shop"
    kubectl("annotate", "deployment", "shop", "pointsman.dev/inject-")
    assert label() is None
    assert kubectl.json("get", "deployment", "shop")["spec"] == before


def test_a_cron_jobs_template_is_labelled_and_a_running_jobs_is_not(
    world: InjectionWorld, namespace: str
) -> None:
    """A CronJob's next Jobs are injected; a Job that exists gets a warning, in kubectl's words."""
    kubectl = world.cluster.kubectl.within(namespace)
    kubectl("create", "cronjob", "night", "--image=a", "--schedule=0 0 * * *")
    kubectl("create", "job", "once", "--image=a")

    def labelled() -> bool:
        kubectl("annotate", "cronjob", "night", "--overwrite", "pointsman.dev/inject=true")
        made = kubectl.json("get", "cronjob", "night")["spec"]["jobTemplate"]["spec"]["template"]
        labels = made["metadata"].get("labels", {})
        return bool(labels.get("pointsman.dev/inject") == "true")

    world.until(labelled)
    said = warned(world.cluster, namespace, "annotate", "job", "once", "pointsman.dev/inject=true")
    assert "TooLate" in said


def test_bad_settings_are_told_to_who_writes_them(world: InjectionWorld, enabled: str) -> None:
    """Kubectl shows the warning; the pod is made with defaults."""
    said = warned(
        world.cluster, enabled, "run", "typo", "--image=a",
        "--annotations=pointsman.dev/memory-limit=lots", "--annotations=pointsman.dev/cpu=1",
    )  # fmt: skip
    assert "pointsman.dev/memory-limit: 'lots' is not a quantity" in said
    assert "pointsman.dev/cpu is not known" in said


def test_a_mesh_that_joins_after_us_starts_before_us(world: InjectionWorld, enabled: str) -> None:
    """Reinvocation by a real API server: a second webhook adds istio-proxy, ours moves behind."""
    with_mesh = plain()
    with_mesh["spec"]["initContainers"] = [{**with_mesh["spec"]["containers"][0], "name": "init"}]
    server, calls = _mesh(world)
    try:
        url = f"https://127.0.0.1:{server.server_port}/"
        world.cluster.api.create(WEBHOOKS, _mesh_webhook(world, url))
        world.until(lambda: world.tried(enabled, with_mesh) and calls)
        names = [it["name"] for it in world.tried(enabled, with_mesh)["spec"]["initContainers"]]
        assert names == ["init", "istio-proxy", "pointsman"]
    finally:
        world.cluster.api.delete(f"{WEBHOOKS}/zz-mesh-{world.own}")
        server.shutdown()
        server.server_close()


def test_the_cluster_and_we_are_never_asked_about(world: InjectionWorld) -> None:
    """kube-system and our own namespace, whatever their labels say."""
    for name in ("kube-system", world.own):
        world.label(name, injection="required")
        try:
            made = world.tried(name, plain(labels={"pointsman.dev/inject": "true"}))
            assert "initContainers" not in made["spec"]
        finally:
            world.cluster.api.merge(
                f"/api/v1/namespaces/{name}",
                {"metadata": {"labels": {"pointsman.dev/injection": None}}},
            )


def test_the_injectors_rights_are_those_that_it_uses(world: InjectionWorld, enabled: str) -> None:
    """Nothing forbidden was tried, and each granted verb was used."""
    assert world.tried(enabled)
    audit = world.cluster.audit()
    assert audit.forbidden(world.user) == set()
    granted = {
        (verb, resource)
        for resource in ("limitranges", "resourcequotas", "configmaps")
        for verb in ("list", "watch")
    }
    # An event is written after its answer.
    eventually(lambda: {(it.verb, it.resource) for it in audit.used(world.user)} == granted)


def _mesh(world: InjectionWorld) -> tuple[ThreadingHTTPServer, list[str]]:
    """A webhook that appends a native istio-proxy."""
    calls: list[str] = []

    class Mesh(BaseHTTPRequestHandler):
        """Answers one AdmissionReview."""

        def do_POST(self) -> None:
            """Add the proxy where it is not."""
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            there = asked["object"]["spec"].get("initContainers", [])
            calls.append(asked["uid"])
            proxy = {"name": "istio-proxy", "image": "proxy", "restartPolicy": "Always"}
            patch = [{"op": "add", "path": "/spec/initContainers/-", "value": proxy}]
            response: dict[str, Any] = {"uid": asked["uid"], "allowed": True}
            if all(it["name"] != "istio-proxy" for it in there):
                packed = base64.b64encode(json.dumps(patch).encode()).decode()
                response |= {"patchType": "JSONPatch", "patch": packed}
            body = json.dumps(
                {
                    "apiVersion": "admission.k8s.io/v1",
                    "kind": "AdmissionReview",
                    "response": response,
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mesh)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.folder / "tls.crt", world.folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, calls


def _mesh_webhook(world: InjectionWorld, url: str) -> dict[str, Any]:
    bundle = base64.b64encode(world.cluster.ca.encode()).decode()
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods"],
        "operations": ["CREATE"],
    }
    hook = {
        "name": "mesh.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": url, "caBundle": bundle},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"pointsman.dev/injection": "enabled"}},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": f"zz-mesh-{world.own}"},
        "webhooks": [hook],
    }


def _reviews(injector: InjectorProcess) -> float:
    """How many pods it has been asked about."""
    page = injector.probe("/metrics").text
    name = 'pointsman_injector_reviews_total{outcome="Injected",webhook="pods"}'
    return sum(float(it.split()[-1]) for it in page.splitlines() if it.startswith(name))
