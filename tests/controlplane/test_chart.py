"""The chart at a real API server: every object is taken, and webhooks keep their CA bundle."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.binaries import UnavailableError
from harness.control_plane import ControlPlane
from harness.fixtures import unavailable
from harness.helm import Helm
from support.charts import CHART, HOME, flags, rendered

pytestmark = pytest.mark.timeout(240)

BUNDLE = base64.b64encode(b"the controller wrote this").decode()
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
RELEASE = "kept"
VALUES: dict[str, Any] = {
    "crds.enabled": False,
    "hub.storage.type": "EmptyDir",
    # No other test's pods: nobody answers these webhooks.
    "namespaces": ["kept-apps"],
}


@pytest.fixture
def helm(crds: ControlPlane, tmp_path: Path) -> Helm:
    """Helm as the cluster's administrator."""
    try:
        return Helm(tmp_path, crds.kubeconfig)
    except UnavailableError as error:
        unavailable(error)


@pytest.fixture
def release(crds: ControlPlane, helm: Helm) -> Iterator[Helm]:
    """The chart installed, without waiting: nothing runs pods here."""
    crds.kubectl("create", "namespace", "kept-apps")
    _upgrade(helm, "--install", "--create-namespace")
    yield helm
    helm("uninstall", RELEASE, "--namespace", "kept-home", "--no-hooks")
    crds.kubectl("delete", "namespace", "kept-apps", "kept-home", "--wait=false")


@pytest.mark.parametrize("values", [{}, {"namespaces": ["default"]}], ids=str)
def test_the_api_server_takes_every_object(
    crds: ControlPlane, helm: Helm, values: dict[str, Any]
) -> None:
    """Server-side, in dry run, hooks included, with strict field validation."""
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    # Of `helm test`'s pod: a dry run makes none, and without it the pod would be refused.
    metadata = {"name": "pointsman-test", "namespace": HOME}
    crds.kubectl.apply(home, {**account, "metadata": metadata})
    text = yaml.safe_dump_all(rendered(helm, values))
    flags = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    said = crds.kubectl("apply", *flags, "-f", "-", text=text)
    assert len(said.splitlines()) == len(rendered(helm, values))


def test_helm_takes_over_resources_that_kubectl_applied(crds: ControlPlane, helm: Helm) -> None:
    """The API server keeps all that we wrote of a definition, so two hands do not conflict."""
    ours = [one for one in rendered(helm, {}) if one["kind"] == "CustomResourceDefinition"]
    assert len(ours) == 3
    flags = ("--server-side", "--field-manager=helm", "--dry-run=server")
    said = crds.kubectl("apply", *flags, "-f", "-", text=yaml.safe_dump_all(ours))
    assert len(said.splitlines()) == len(ours)


def test_upgrades_and_a_forced_apply_keep_the_bundle(crds: ControlPlane, release: Helm) -> None:
    """What the controller wrote into the webhooks survives whoever installs the chart again."""
    found = crds.api.get(f"{WEBHOOKS}/{RELEASE}-pointsman")
    for webhook in found["webhooks"]:
        assert "caBundle" not in webhook["clientConfig"]
        webhook["clientConfig"]["caBundle"] = BUNDLE
    crds.api.merge(f"{WEBHOOKS}/{RELEASE}-pointsman", {"webhooks": found["webhooks"]})
    _upgrade(release, **{"injector.timeoutSeconds": 4})
    _upgrade(release, "--force-conflicts", **{"injector.timeoutSeconds": 3})
    again = release("get", "manifest", RELEASE, "--namespace", "kept-home")
    crds.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=again)
    after = crds.api.get(f"{WEBHOOKS}/{RELEASE}-pointsman")["webhooks"]
    assert [webhook["clientConfig"]["caBundle"] for webhook in after] == [BUNDLE] * len(after)
    assert {webhook["timeoutSeconds"] for webhook in after} == {3}


def _upgrade(helm: Helm, *more: str, **values: Any) -> None:
    place = (RELEASE, CHART, "--namespace", "kept-home")
    helm("upgrade", *place, *flags(VALUES | values), *more)
