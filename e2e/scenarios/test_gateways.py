"""Gateways in real pods: of a pool that another namespace uses, and for callers without a router.

Nobody but the owner's namespace holds the provider's key; who calls is known by ticket or API key.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness import apps, outage
from harness.calls import short_calls
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
GATEWAY = "pointsman-gateway-main"
KEY = "sk-of-the-owner-alone"
OVERLAP = {"name": "POINTSMAN_CONTROLLER_OVERLAP_SECONDS", "value": "12"}
"""Between the steps of a root's rotation: ten minutes by default."""
ROTATED_WITHIN_S = 180.0
RETURNED_WITHIN_S = 120.0
"""A container that has just ended for the second time waits ten seconds, twenty the next time, and
so on; the kubelet looks at it once in a while."""
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
        installed.upgrade(gatewayNamespaces=[owner, entry], controller__extraEnv=[OVERLAP])
        yield Places(owner, guest, entry)


def _take_back(installed: Installation) -> None:
    """The controller that is being replaced still asks for what it may no longer do."""
    with installed.cluster.excused():
        installed.upgrade()
        selector = ("-l", "app.kubernetes.io/component=controller", "-o", "name")
        eventually(lambda: len(installed.kubectl("get", "pods", *selector).split()) == 2, 60)


@dataclass(frozen=True)
class Guests:
    """A pool with its provider, and an app of another namespace that calls it."""

    owner: Kubectl
    guest: Kubectl
    simulated: Provider
    pod: dict[str, Any]
    """The app's."""

    def gateways(self) -> list[dict[str, Any]]:
        """The gateway's pods that are not on their way out."""
        found = self.owner.json("get", "pods", "-l", "pointsman.dev/gateway=pool.main")["items"]
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def rolled_out(self) -> None:
        """Return when the gateway is as the controller last wanted it."""
        self.owner("rollout", "status", f"deployment/{GATEWAY}", "--timeout=180s")


@pytest.fixture(scope="module")
def guests(installed: Installation, places: Places) -> Guests:
    """The owner's pool is open to the guest, whose app is ready to call; nobody has called yet."""
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
    (pod,) = apps.running(guest)
    return Guests(owner, guest, simulated, pod)


def test_a_guests_call_goes_by_the_owners_gateway(places: Places, guests: Guests) -> None:
    """Keyed and booked in the owner's namespace; the guest's holds no Secret."""
    (line,) = apps.asked(guests.guest)
    assert line.split()[1] == "sim-m0"
    eventually(lambda: apps.spent(guests.owner) == apps.cost(line), apps.SPENT_WITHIN_S)
    assert guests.guest("get", "secrets", "-o", "name") == ""
    assert places.owner not in json.dumps(guests.pod)
    assert guests.simulated.stats()["requests"] == 1


def test_a_root_is_rotated_while_guests_call(
    installed: Installation, guests: Guests, tmp_path: Path
) -> None:
    """Gateways get certificates of another root, and sidecars trust them in time: no call fails."""
    (before,) = _roots(installed)
    uids = {each["metadata"]["uid"] for each in guests.gateways()}
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    mark = f"pointsman.dev/renew-before={moment.isoformat()}"
    with short_calls(guests.guest, guests.pod["metadata"]["name"], tmp_path / "said") as said:
        said.go_on()
        installed.kubectl("annotate", "secret/pointsman-ca", mark)
        eventually(lambda: len(_roots(installed)) == 2, ROTATED_WITHIN_S)
        eventually(lambda: len(_roots(installed)) == 1, ROTATED_WITHIN_S)
        guests.rolled_out()
        said.go_on()
    assert _roots(installed) != [before]
    assert uids.isdisjoint(each["metadata"]["uid"] for each in guests.gateways())
    assert set(said.models()) == {"sim-m0"}, str(said)


def test_without_a_hub_a_killed_container_of_a_gateway_costs_no_call(
    installed: Installation, places: Places, guests: Guests, tmp_path: Path
) -> None:
    """Its pod stands in the Service for a while: who meets it there tries again, and it returns."""
    guests.rolled_out()
    place = str(guests.gateways()[0]["metadata"]["name"])
    before = _container(guests.owner, place)["restartCount"]
    with (
        outage.scaled_down(installed, outage.HUB),
        short_calls(guests.guest, guests.pod["metadata"]["name"], tmp_path / "said") as said,
    ):
        said.go_on()
        installed.cluster.kill_container(places.owner, place, "gateway")
        eventually(lambda: _returned(guests.owner, place, before), RETURNED_WITHIN_S)
        said.go_on()
    assert set(said.models()) == {"sim-m0"}, str(said)
    installed.kubectl("rollout", "status", outage.HUB, "--timeout=180s")


def test_a_pool_that_is_closed_again_answers_no_guest(places: Places, guests: Guests) -> None:
    """As if it were not there, and its gateway goes."""
    owner, guest = guests.owner, guests.guest
    closed = {"spec": {"allowedNamespaces": {"from": "Names", "names": [places.entry]}}}
    owner("patch", "mpool/main", "--type=merge", "-p", json.dumps(closed))
    # What was asked before it was closed everywhere was answered.
    eventually(lambda: _asked(guest, "auto") == ["503 no_model"], 60)
    calls = guests.simulated.stats()["requests"]
    assert _asked(guest, "auto") == ["503 no_model"]
    assert _asked(guest, "main/m0") == ["404 model_not_found"]
    assert places.owner in apps.explained(guest, "rpol/support")
    eventually(lambda: apps.gateways(owner) == [], 120)
    assert guests.simulated.stats()["requests"] == calls


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


def _roots(installed: Installation) -> list[str]:
    """Whom workloads are to trust."""
    bundle = installed.kubectl.json("get", "configmap", "pointsman-ca")["data"]["ca.crt"]
    return re.findall("-----BEGIN CERTIFICATE-----[^-]+", bundle)


def _returned(kubectl: Kubectl, pod: str, restarts: int) -> bool:
    """Whether a gateway's container was started again since and takes calls."""
    container = _container(kubectl, pod)
    return bool(container["restartCount"] > restarts and container["ready"])


def _container(kubectl: Kubectl, pod: str) -> dict[str, Any]:
    """How the only container of a gateway's pod is."""
    (container,) = kubectl.json("get", "pod", pod)["status"]["containerStatuses"]
    return dict(container)


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
