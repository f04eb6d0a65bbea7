"""The controller's own authority: empty Secrets filled, trust spread, roots rotated in steps."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from harness.control_plane import ControlPlane
from support.cluster_hub import ClusterHub, cluster_hub
from support.controllers import ControllerProcess, Home, controller, make_home
from support.eventually import eventually
from support.resources import policy, pool, rule
from support.resources_in_cluster import config_map

pytestmark = pytest.mark.timeout(180)
OVERLAP_S = "6"
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@pytest.fixture
def own(crds: ControlPlane) -> Home:
    """A home whose Secrets nobody else fills."""
    return make_home(crds)


@pytest.fixture
def running(
    crds: ControlPlane, own: Home, namespace: str, tmp_path: Path
) -> Iterator[tuple[ClusterHub, ControllerProcess]]:
    """A controller with short overlaps and a webhook to keep."""
    _make_webhook(crds, own.hooks)
    options = ["--namespaces", namespace, "--overlap-seconds", OVERLAP_S, "--webhooks", own.hooks]
    with cluster_hub() as hub, controller(own, hub, tmp_path / "replica", *options) as replica:
        yield hub, replica
    crds.api.delete(f"{HOOKS}/{own.hooks}")


def _make_webhook(cluster: ControlPlane, name: str) -> None:
    """As the chart renders it: without a caBundle, and so that it is never called."""
    hook = {
        "name": "pods.pointsman.dev",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{"apiGroups": ["none.pointsman.dev"], "apiVersions": ["v1"],
                   "operations": ["CREATE"], "resources": ["nothing"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    document = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }
    cluster.api.apply(f"{HOOKS}/{name}", document, "helm")


def _secret(home: Home, name: str) -> dict[str, str]:
    path = f"/api/v1/namespaces/{home.namespace}/secrets/pointsman-{name}"
    data = home.cluster.api.get(path).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _bundle(home: Home) -> str:
    path = f"/api/v1/namespaces/{home.namespace}/configmaps/pointsman-ca"
    found: dict[str, Any] = home.cluster.api.get(path)
    return str(found["data"]["ca.crt"])


def _roots(bundle: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(bundle.encode())


@pytest.mark.usefixtures("running")
def test_empty_secrets_are_filled_and_trusted(
    crds: ControlPlane, own: Home, namespace: str
) -> None:
    """Leaves for the Services' names, one bundle in ConfigMaps and webhooks; Helm keeps its own."""
    eventually(lambda: _secret(own, "injector-tls"), within_s=30)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(lambda: config_map(crds, namespace).get("data"))
    bundle = _bundle(own)
    assert config_map(crds, namespace)["data"]["ca.crt"] == bundle
    (root,) = _roots(bundle)
    for server in ("hub", "injector"):
        leaf = x509.load_pem_x509_certificate(_secret(own, f"{server}-tls")["tls.crt"].encode())
        leaf.verify_directly_issued_by(root)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert f"pointsman-{server}.{own.namespace}.svc" in names.get_values_for_type(x509.DNSName)
    eventually(lambda: _trusted(crds, own) == bundle, within_s=20)
    _make_webhook(crds, own.hooks)
    assert _trusted(crds, own) == bundle, "an upgrade by server-side apply leaves it alone"


def _trusted(cluster: ControlPlane, home: Home) -> str:
    (hook,) = cluster.api.get(f"{HOOKS}/{home.hooks}")["webhooks"]
    return base64.b64decode(hook["clientConfig"].get("caBundle", "")).decode()


@pytest.mark.usefixtures("running")
def test_a_root_is_rotated_without_a_moment_of_distrust(
    crds: ControlPlane, own: Home, namespace: str
) -> None:
    """New root trusted first, then signing, then the old one goes: no leaf is ever distrusted."""
    eventually(lambda: _secret(own, "injector-tls"), within_s=30)
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(lambda: config_map(crds, namespace).get("data"))
    (first,) = _roots(_bundle(own))
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    path = f"/api/v1/namespaces/{own.namespace}/secrets/pointsman-ca"
    mark = {"metadata": {"annotations": {"pointsman.dev/renew-before": moment.isoformat()}}}
    crds.api.merge(path, mark)
    counts: list[int] = []

    def rotated() -> bool:
        """Look, and hold every leaf against what workloads trust at that moment."""
        leaf = x509.load_pem_x509_certificate(_secret(own, "hub-tls")["tls.crt"].encode())
        trusted = _roots(config_map(crds, namespace)["data"]["ca.crt"])
        assert any(_signed(leaf, root) for root in trusted)
        if not counts or counts[-1] != len(trusted):
            counts.append(len(trusted))
        return len(trusted) == 1 and trusted[0] != first

    eventually(rotated, within_s=90)
    assert counts == [1, 2, 1]


def _signed(leaf: x509.Certificate, root: x509.Certificate) -> bool:
    return (
        leaf.issuer == root.subject
        and leaf.extensions.get_extension_for_class(
            x509.AuthorityKeyIdentifier
        ).value.key_identifier
        == root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    )
