"""Gateways in real pods: of a pool that another namespace uses, and for callers without a router.

Nobody but the owner's namespace holds the provider's key; who calls is known by ticket or API key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from harness import apps
from harness.fixtures import fresh_namespace
from harness.installation import Installation
from harness.kubectl import Kubectl
from harness.pods import RESTRICTED
from harness.provider import Provider
from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from support import resources
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

ASKING, WITH_KEY = ((apps.PROGRAMS / f"{name}.py").read_text() for name in ("asking", "with_key"))
KEY = "sk-of-the-owner-alone"
UNREACHABLE = "unreachable"
"""What `with_key` says where nobody takes its connection."""


@dataclass(frozen=True)
class Places:
    """Namespaces: gateways may run in the first and the last."""

    owner: str
    guest: str
    entry: str


@pytest.fixture(scope="module")
def places(installed: Installation) -> Iterator[Places]:
    """The release lists two of them while these tests run, and none afterwards."""
    with ExitStack() as stack:
        owner, guest, entry = (
            stack.enter_context(fresh_namespace(installed.cluster, name, RESTRICTED))
            for name in ("gateway-owner", "gateway-guest", "gateway-entry")
        )
        stack.callback(_take_back, installed)
        installed.upgrade(gatewayNamespaces=[owner, entry])
        yield Places(owner, guest, entry)


def _take_back(installed: Installation) -> None:
    """The controller that is being replaced still asks for what it may no longer do."""
    with installed.cluster.excused():
        installed.upgrade()
        selector = ("-l", "app.kubernetes.io/component=controller", "-o", "name")
        eventually(lambda: len(installed.kubectl("get", "pods", *selector).split()) == 2, 60)


def test_a_guests_call_goes_by_the_owners_gateway_while_the_pool_allows_it(
    installed: Installation, places: Places
) -> None:
    """Keyed and booked in the owner's namespace; the guest's holds no Secret; then it is closed."""
    owner, guest = (installed.cluster.kubectl.within(name) for name in (places.owner, places.guest))
    simulated = Provider(installed.cluster, places.owner)
    simulated.take(KEY)
    model = apps.keyed(apps.model("m0", simulated.https_url))
    opened = {"from": "Names", "names": [places.guest]}
    owner.apply(
        apps.credentials(KEY, simulated.host),
        resources.pool(model, namespace=places.owner, allowedNamespaces=opened),
        resources.budget(namespace=places.owner),
    )
    rule = resources.rule("all", "main/m0") | {"when": {"models": ["auto"]}}
    foreign = [{"name": "main", "namespace": places.owner}]
    guest.apply(resources.policy(rule, namespace=places.guest, pools=foreign), apps.app())
    apps.annotate(guest)
    guest("wait", "--for=condition=Ready", "rpol/support", "--timeout=180s")
    (line,) = apps.asked(guest)
    assert line.split()[1] == "sim-m0"
    eventually(lambda: apps.spent(owner) == apps.cost(line), apps.SPENT_WITHIN_S)
    assert guest("get", "secrets", "-o", "name") == ""
    (pod,) = apps.running(guest)
    assert places.owner not in json.dumps(pod)
    closed = {"spec": {"allowedNamespaces": {"from": "Names", "names": [places.entry]}}}
    owner("patch", "mpool/main", "--type=merge", "-p", json.dumps(closed))
    eventually(lambda: _asked(guest, "auto") == ["503 no_model"], 60)
    assert _asked(guest, "main/m0") == ["404 model_not_found"]
    assert places.owner in apps.explained(guest, "rpol/support")
    eventually(lambda: apps.gateways(owner) == [], 120)
    # Not by the Budget's status: it tells nothing of a Budget that no table holds any more.
    assert simulated.stats()["requests"] == 1


def test_a_pod_without_a_router_is_answered_by_its_key_over_tls(
    installed: Installation, places: Places
) -> None:
    """The URL is in `kubectl get rpol`, the key by `pointsman keys`; without one there is 401."""
    kubectl = installed.cluster.kubectl.within(places.entry)
    simulated = Provider(installed.cluster, places.entry)
    pool, _, budget = apps.three(places.entry, simulated.url)
    rule = resources.rule("all", "main/m0")
    target = {"gateway": {"replicas": 1}}
    policy = resources.policy(rule, name="partners", namespace=places.entry, target=target)
    kubectl.apply(pool, policy, budget)
    kubectl("wait", "--for=condition=Ready", "rpol/partners", "--timeout=180s")
    url = f"https://pointsman-entry-partners.{places.entry}.svc/v1"
    assert f" {url} " in kubectl("get", "rpol", "partners")
    authority = installed.kubectl.json("get", "configmap", "pointsman-ca")["data"]
    kubectl.apply(_config_map("authority", authority), _caller(url))
    kubectl("rollout", "status", "deployment/caller", "--timeout=180s")
    (pod,) = apps.running(kubectl, "caller")
    assert apps.router(pod) is None
    # Ready says that a pod takes calls; the Service leads to it when the kubelet has seen that.
    eventually(lambda: _called(kubectl, "") != UNREACHABLE, 60)
    assert _called(kubectl, "") == "401 missing_api_key"
    place = ["-n", places.entry, "--kubeconfig", str(installed.cluster.kubeconfig)]
    made = CliRunner().invoke(APPLICATION, ["keys", "create", "acme", *place])
    assert made.exit_code == exits.OK, made.output
    key = made.stdout.strip()
    eventually(lambda: _called(kubectl, key) == "sim-m0", 120)
    assert _called(kubectl, key[:-1]) == "401 invalid_api_key"
    assert simulated.stats()["requests"] == 1
    eventually(lambda: apps.spent(kubectl) > 0, apps.SPENT_WITHIN_S)
    kubectl("delete", "rpol", "partners")
    eventually(lambda: apps.gateways(kubectl) == [], 120)


def _asked(kubectl: Kubectl, *models: str) -> list[str]:
    """What came of a call for each of these; the names that are listed are left out."""
    call = ("python3", "-c", ASKING, *models)
    return kubectl.exec(apps.APP, *call, container="app").splitlines()[1:]


def _called(kubectl: Kubectl, key: str) -> str:
    """What came of a call with a key."""
    call = ("python3", "-c", WITH_KEY, key)
    return kubectl.exec("deployment/caller", *call, container="app").strip()


def _config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _caller(url: str) -> dict[str, Any]:
    """A Deployment with the SDK that trusts our authority and asks for no router."""
    caller = apps.app("caller")
    spec = caller["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    told = {"OPENAI_BASE_URL": url, "SSL_CERT_FILE": "/authority/ca.crt"}
    container["env"] = [{"name": name, "value": value} for name, value in told.items()]
    container["volumeMounts"].append({"name": "authority", "mountPath": "/authority"})
    spec["volumes"].append({"name": "authority", "configMap": {"name": "authority"}})
    return caller
