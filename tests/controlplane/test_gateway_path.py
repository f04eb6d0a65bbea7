"""A guest's call from its own sidecar through the owner's gateway to a provider, nothing scripted.

API server, controller, hub, gateway, sidecar and provider are the real ones; what a cluster's DNS
would say stands in the sidecar's own /etc/hosts.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.control_plane import ControlPlane
from pointsman_operator.kube.tokens import AUDIENCE
from support.controllers import Home, controller, make_home
from support.eventually import eventually
from support.gateway_rights import allow_gateways
from support.hub_in_cluster import HubInCluster, hub_in_cluster
from support.limited_world import offered
from support.line import asked
from support.processes import Sidecar, Simulator, ended
from support.resources import budget, hosted, policy, pool, rule
from support.resources_in_cluster import config_map

pytestmark = pytest.mark.timeout(300)
OWNER, GUEST, NAME = "path-owner", "path-guest", "pointsman-gateway-main"
ADDRESS, KEY = "127.61.7.1", "sk-of-the-owner"
PER_MINUTE = 300
ALLOWED = {"requestsPerMinute": PER_MINUTE, "maxInFlight": 4}
OVERLAP_S = "4"
"""Between the steps of a root's rotation: ten minutes by default."""


@dataclass
class Parts:
    """All that runs beside the two routers."""

    plane: ControlPlane
    home: Home
    hub: HubInCluster
    folder: Path
    provider: Simulator
    memory: Path
    """In memory, as an emptyDir of a pod."""
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each router was started with."""

    def bundle(self) -> str:
        """Whom sidecars trust, as the injector reads it."""
        path = f"/api/v1/namespaces/{self.home.namespace}/configmaps/pointsman-ca"
        return str(self.plane.api.get(path)["data"]["ca.crt"])

    def router(self, namespace: str, account: str, name: str, **more: Any) -> Sidecar:
        """The router of a new pod, with the pod's own token."""
        spec: dict[str, Any] = {"serviceAccountName": account}
        spec |= {"containers": [{"name": "app", "image": "localhost/none:1"}]}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        made = self.plane.api.create(f"/api/v1/namespaces/{namespace}/pods", document)
        pod = {"name": name, "uid": str(made["metadata"]["uid"])}
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        token = folder / "token"
        token.write_text(self.plane.token(namespace, account, audience=AUDIENCE, pod=pod))
        variables = {
            "POINTSMAN_HUB_URL": self.hub.url,
            "POINTSMAN_HUB_TOKEN_FILE": str(token),
            "POINTSMAN_HUB_CA": self.bundle(),
            "POINTSMAN_SIDECAR": pod["uid"],
            "POINTSMAN_POD": name,
            "POINTSMAN_NAMESPACE": namespace,
            "POINTSMAN_WORKLOAD": name,
            "POINTSMAN_STATE_DIR": str(self.memory / name),
            "SSL_CERT_FILE": str(self.folder / "provider.pem"),
        }
        self.told[name] = variables | more
        return self.again(name)

    def again(self, name: str) -> Sidecar:
        """Another start of the same container."""
        return Sidecar(self.folder / name, **self.told[name])

    def spend(self, namespace: str = "") -> dict[str, int]:
        """Requests by workload; of one namespace, or of all."""
        query = {"by": "workload", "namespace": namespace}
        token = self.hub.controllers_token()
        rows = self.hub.call(token, "GET", "/v1/spend", params=query).json()["rows"]
        return {row["key"]: row["requests"] for row in rows}


@pytest.fixture
def parts(crds: ControlPlane, tmp_path: Path) -> Iterator[Parts]:
    """A provider, a hub, and a controller that may run gateways for the owner."""
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace of one's own: {probe.stderr.decode()}")
    home = make_home(crds)
    for namespace in (OWNER, GUEST):
        named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        crds.api.create("/api/v1/namespaces", named)
    allow_gateways(crds, home, OWNER)
    (tmp_path / "hub").mkdir()
    memory = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="pointsman-path-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, memory)
        own = {"certOut": str(tmp_path / "provider.pem")}
        provider = Simulator(tmp_path, "a", tls=own, limits={"sim-2": ALLOWED})
        stack.enter_context(ended(provider))
        hub = stack.enter_context(hub_in_cluster(crds, tmp_path / "hub", home.namespace))
        listed = ("--gateway-namespaces", OWNER, "--overlap-seconds", OVERLAP_S)
        leader = controller(home, hub, tmp_path / "controller", *listed)
        eventually(stack.enter_context(leader).leads, within_s=30)
        yield Parts(crds, home, hub, tmp_path, provider, memory)


def resources(url: str) -> list[dict[str, Any]]:
    """The owner's pool with a key and a Budget; the guest's policy, which names no key."""
    secret = {"secretRef": {"name": "pointsman-credentials", "key": "sim"}}
    each: dict[str, Any] = {"type": "OpenAICompatible", "credential": secret}
    each["baseURL"] = f"{url}/v1"
    priced: dict[str, Any] = {
        "pricing": {"inputPerMTok": "1", "outputPerMTok": "1"},
        "contextWindow": 128_000,
    }
    models = (
        hosted(provider={**each, "model": "sim-1"}, **priced),
        hosted("tight", provider={**each, "model": "sim-2"}, limits=ALLOWED, **priced),
    )
    opened = {"from": "Names", "names": [GUEST]}
    tight = rule("tight", "main/tight") | {"when": {"models": ["tight"]}}
    return [
        pool(*models, namespace=OWNER, allowedNamespaces=opened),
        budget(namespace=OWNER),
        policy(tight, rule(), namespace=GUEST, pools=[{"name": "main", "namespace": OWNER}]),
    ]


def test_a_guests_call_is_paid_by_the_owners_budget_with_the_owners_key(parts: Parts) -> None:
    """Routed by the guest, keyed and booked by the owner; each sees its own, all see it once.

    Its calls go on while the authority's root is rotated; and, on the lease that it had, with the
    hub gone and the gateway killed.
    """
    plane = parts.plane
    plane.kubectl.apply(*resources(parts.provider.url))
    accounts = f"/api/v1/namespaces/{OWNER}/serviceaccounts/{NAME}"
    eventually(lambda: plane.api.reaches(accounts), within_s=30)
    secret = parts.folder / "gateway-0" / "secrets" / "pointsman-credentials"
    secret.mkdir(parents=True)
    (secret / "sim").write_text(KEY)
    (secret / "allowed-hosts").write_text("127.0.0.1")
    gateway = parts.router(
        OWNER,
        NAME,
        "gateway-0",
        POINTSMAN_MODE="gateway",
        POINTSMAN_GATEWAY="pool/main",
        POINTSMAN_DATA_ADDRESS=f"{ADDRESS}:443",
    )
    hosts = parts.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS} {NAME}.{OWNER}.svc\n")
    script = f"mount --bind {shlex.quote(str(hosts))} /etc/hosts && exec {sys.executable} "
    program = ("--mount", "sh", "-c", script + "-m pointsman_sidecar")
    with ended(gateway):
        eventually(lambda: gateway.probe("/readyz"), within_s=30)
        mount = parts.folder / "mounted"
        mount.mkdir()
        where = {"POINTSMAN_TABLE_PATH": str(mount)}
        shop = parts.router(GUEST, "default", "shop", python="unshare", program=program, **where)
        with ended(shop):
            eventually(lambda: _call(shop).status_code == 200, within_s=40)
            before = parts.provider.stats()["requests"]
            answer = _call(shop)
            assert answer.status_code == 200, answer.text
            assert parts.provider.stats()["requests"] == before + 1
            assert answer.headers["x-pointsman-request-id"] in str(parts.provider.bill())
            assert KEY not in answer.text
            served = parts.provider.stats()["requests"]
            eventually(lambda: parts.spend(OWNER) == {f"{GUEST}/shop": served}, within_s=60)
            eventually(lambda: parts.spend(GUEST) == {"shop": served}, within_s=60)
            assert parts.spend() == {"shop": served}
            rows = parts.hub.call(parts.hub.controllers_token(), "GET", "/v1/budgets").json()
            current = {row["account"]: row["settled"] for row in rows if row["current"]}
            assert current[f"{OWNER}/team/day"] > 0
            _keeps_to_the_owners_limits(parts, shop)
            _goes_on_under_another_root(parts, shop, mount)
            _goes_on_without_a_hub(parts, gateway, shop)


def _keeps_to_the_owners_limits(parts: Parts, shop: Sidecar) -> None:
    """The gateway holds the shares for its guests' calls; the owner sees who, and that it refuses.

    Five times as much is asked for as the provider, which judges for itself, allows.
    """
    seconds, began = 6, time.monotonic()
    load = asyncio.run(
        offered([shop.url], per_second=PER_MINUTE / 12, seconds=seconds, model="tight")
    )
    seen = parts.provider.stats()["limited"]["sim-2"]
    assert (seen["refused"], load.failures) == (0, []), (seen, load.statuses)
    assert seen["open_most"] <= ALLOWED["maxInFlight"]
    # What a minute allows in that time, and the three seconds that may be spent ahead.
    most = PER_MINUTE / 60 * (time.monotonic() - began + 3) + 1
    assert 0.8 * PER_MINUTE / 60 * seconds <= seen["admitted"] <= most, (seen, load.statuses)
    assert load.statuses[200] == seen["admitted"]
    assert set(load.statuses) == {200, 429}, load.statuses
    assert shop.state()["limits"] == {}, "the caller's sidecar holds nothing"
    token = parts.hub.controllers_token()
    gateway = parts.told["gateway-0"]["POINTSMAN_SIDECAR"]
    query = {"namespace": OWNER, "routers": "true"}

    def told() -> bool:
        """The gateway speaks once a second."""
        rows = parts.hub.call(token, "GET", "/v1/limits", params=query).json()
        for row in rows:
            assert [it["sidecar"] for it in row["routers"]] == [gateway]
            assert row["limit"] == f"{OWNER}/main/tight"
        requests = next(row for row in rows if row["unit"] == "requests")
        return bool(requests["used"] == seen["admitted"] and requests["refused"])

    eventually(told)
    path = f"/apis/pointsman.dev/v1alpha1/namespaces/{OWNER}/modelpools/main"

    def shown() -> bool:
        targets = {it["name"]: it for it in parts.plane.api.get(path)["status"]["targets"]}
        return bool(targets["tight"].get("refusingSince")) and "nearLimit" not in targets["mini"]

    eventually(shown, within_s=20)


def _goes_on_under_another_root(parts: Parts, shop: Sidecar, mount: Path) -> None:
    """No call fails; in the end the gateway shows a certificate that the new root alone proves."""
    before = parts.bundle()
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    mark = {"metadata": {"annotations": {"pointsman.dev/renew-before": moment.isoformat()}}}
    secret = f"/api/v1/namespaces/{parts.home.namespace}/secrets/pointsman-ca"
    parts.plane.api.merge(secret, mark)
    counts: list[int] = []

    def rotated() -> bool:
        """Be the kubelet, call, and see how many roots are trusted."""
        bundle = config_map(parts.plane, GUEST)["data"]["ca.crt"]
        draft = mount / ".ca.crt"
        draft.write_text(bundle)
        draft.replace(mount / "ca.crt")
        answer = _call(shop)
        assert answer.status_code == 200, answer.text
        counts.append(bundle.count("BEGIN CERTIFICATE"))
        return counts[-1] == 1 and bundle != before

    eventually(rotated, within_s=90)
    assert max(counts) == 2
    trust = ssl.create_default_context(cadata=parts.bundle())
    with (
        socket.create_connection((ADDRESS, 443), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname=f"{NAME}.{OWNER}.svc") as secure,
    ):
        assert secure.version() is not None


def _goes_on_without_a_hub(parts: Parts, gateway: Sidecar, shop: Sidecar) -> None:
    """A gateway that is killed meanwhile serves again with what it had, its lease too."""
    before = parts.provider.stats()["requests"]
    parts.hub.process.kill()
    gateway.kill()
    with ended(parts.again("gateway-0")):
        eventually(lambda: _call(shop).status_code == 200, within_s=40)
        assert _call(shop).status_code == 200
    assert parts.provider.stats()["requests"] >= before + 2


def _call(router: Sidecar) -> httpx.Response:
    """The app's call, to its own sidecar."""
    url = f"{router.url}/v1/chat/completions"
    return httpx.post(url, json=asked(model="mini"), timeout=30)
