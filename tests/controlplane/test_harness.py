"""The test cluster's control plane itself: quick, like the real thing, and gone without a trace."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest

from harness.api import RefusedError
from harness.audit import Access
from harness.components import COMPONENTS
from harness.control_plane import ControlPlane
from harness.kubectl import KubectlError
from support.eventually import eventually
from support.held import Held, below

START_S = 20.0
"""Alone on a machine it takes four; the suite shares two cores with itself."""


def test_it_is_the_version_that_go_mod_says(control_plane: ControlPlane) -> None:
    """/version and the clients' user agents tell the truth, so feature gates are the release's."""
    told = control_plane.kubectl.json("version")
    assert told["serverVersion"]["gitVersion"] == told["clientVersion"]["gitVersion"]
    assert told["serverVersion"]["major"] == "1"
    agents = {event["userAgent"] for event in control_plane.audit().events()}
    assert any(agent.startswith("kube-controller-manager/v1.") for agent in agents)
    assert not any("/v0.0.0" in agent for agent in agents)


def test_a_service_account_may_only_what_it_was_given(
    control_plane: ControlPlane, namespace: str
) -> None:
    """RBAC holds for a kubeconfig of a ServiceAccount, and the audit log tells both sides."""
    kubectl = control_plane.kubectl.within(namespace)
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    kubectl("create", "rolebinding", "r", "--role=reader", f"--serviceaccount={namespace}:reader")
    config = control_plane.kubeconfig_for_service_account(namespace, "reader")
    audit = control_plane.audit(from_now=True)
    mine = kubectl.using(config)
    assert "kube-root-ca.crt" in mine("get", "configmaps")
    with pytest.raises(KubectlError, match="Forbidden"):
        mine("get", "secrets")
    user = f"system:serviceaccount:{namespace}:reader"
    refused = Access("list", "", "secrets", namespace)
    eventually(lambda: audit.forbidden(user) == {refused})
    assert Access("list", "", "configmaps", namespace) in audit.used(user) - {refused}


def test_a_token_is_good_for_its_audience_only(control_plane: ControlPlane, namespace: str) -> None:
    """TokenReview accepts a sidecar's token for `pointsman`; the API server itself refuses it."""
    token = control_plane.token(namespace, "default", audience="pointsman", seconds=600)
    for audience, good in (("pointsman", True), ("another", False)):
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        answer = control_plane.api.create("/apis/authentication.k8s.io/v1/tokenreviews", review)
        assert answer["status"].get("authenticated", False) is good
    with control_plane.client_with_token(token) as client, pytest.raises(RefusedError) as refusal:
        client.get("/api/v1/namespaces")
    assert refusal.value.code == 401


def test_a_user_is_told_apart_by_name_and_group(control_plane: ControlPlane) -> None:
    """A kubeconfig of a person carries name and groups, as `kubectl auth whoami` shows."""
    config = control_plane.kubeconfig_for_user("alice", ("developers",))
    answer = control_plane.kubectl.using(config).json("auth", "whoami")
    assert answer["status"]["userInfo"]["username"] == "alice"
    assert "developers" in answer["status"]["userInfo"]["groups"]


def test_a_webhook_of_a_test_is_called(control_plane: ControlPlane, namespace: str) -> None:
    """The API server calls an https server of the test's own process by its URL."""
    seen: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), _admitting(seen))
    context = SSLContext(PROTOCOL_TLS_SERVER)
    control_plane.authority.issue("webhook", hosts=("127.0.0.1",)).write(
        control_plane.folder, "hook"
    )
    context.load_cert_chain(control_plane.folder / "hook.crt", control_plane.folder / "hook.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    url = f"https://127.0.0.1:{server.server_port}/"
    try:
        control_plane.api.create(path, _webhook(control_plane, namespace, url))
        create = control_plane.kubectl.within(namespace)
        eventually(lambda: create("create", "configmap", f"c{time.monotonic_ns()}") and seen)
        assert seen[0]["request"]["namespace"] == namespace
    finally:
        control_plane.api.delete(f"{path}/{namespace}")
        server.shutdown()
        server.server_close()


def test_a_frozen_api_server_is_silent(namespace: str, control_plane: ControlPlane) -> None:
    """Frozen it takes connections and says nothing; thawed it answers as before."""
    kubectl = control_plane.kubectl.within(namespace)
    control_plane.freeze("kube-apiserver")
    try:
        with pytest.raises(KubectlError, match=r"exceeded|timeout|Timeout"):
            kubectl("get", "configmaps", "--request-timeout=500ms")
    finally:
        control_plane.thaw("kube-apiserver")
    eventually(lambda: "kube-root-ca.crt" in kubectl("get", "configmaps"))


def test_it_starts_soon_and_survives_the_loss_of_its_parts() -> None:
    """Ready in seconds; killed parts come back with what they held, and watches with 410 Gone."""
    began = time.monotonic()
    with ControlPlane() as mine:
        assert time.monotonic() - began < START_S
        path = "/api/v1/configmaps"
        past = str(mine.api.get(path)["metadata"]["resourceVersion"])
        mine.kubectl("create", "namespace", "kept")
        mine.kubectl("create", "configmap", "newer")
        for component in ("kube-apiserver", "etcd"):
            mine.kill(component)
            mine.start(component)
            mine.wait_ready()
        assert "kept" in mine.kubectl("get", "namespaces")
        assert all(mine.supervisor.runs(component) for component in COMPONENTS)
        folder = mine.folder
        event = mine.api.get(path, watch="1", resourceVersion=past, timeoutSeconds="1")
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert not folder.exists()


def test_nothing_is_left_when_the_tests_are_killed(tmp_path: Path) -> None:
    """SIGKILL for the process that holds a control plane ends all of it and removes its files."""
    held = Held("control_plane.ControlPlane", tmp_path)
    family = below(held.supervisor)
    assert len(family) == 1 + len(COMPONENTS)
    held.kill()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), 20)
    eventually(lambda: not held.folder.exists(), 20)


def _admitting(seen: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Admitting(BaseHTTPRequestHandler):
        """Allows everything and remembers it."""

        def do_POST(self) -> None:
            """Answer an AdmissionReview."""
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(review)
            answer = {**review, "response": {"uid": review["request"]["uid"], "allowed": True}}
            del answer["request"]
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    return Admitting


def _webhook(control_plane: ControlPlane, namespace: str, url: str) -> dict[str, Any]:
    hook = {
        "name": "hook.pointsman.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": url, "caBundle": _base64(control_plane.ca)},
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["configmaps"],
                "operations": ["CREATE"],
            }
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "matchConditions": [{"name": "ours", "expression": "object.metadata.name != 'never'"}],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [hook],
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
