"""Pools of other namespaces on a real API server: objects, certificate, tickets, no way round."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.control_plane import ControlPlane
from pointsman_operator.kube.tokens import AUDIENCE
from pointsman_operator.owned.gateway_objects import FOLDERS, path_of
from support.controllers import ControllerProcess, controller, make_home
from support.eventually import eventually
from support.gateway_rights import allow_gateways
from support.hub_in_cluster import HubInCluster, hub_in_cluster
from support.resources import hosted, policy, pool, rule

pytestmark = pytest.mark.timeout(240)
NAME, COLLECTOR = "pointsman-gateway-main", "http://collector.observability:4318"
KEYED = {
    "type": "OpenAI",
    "model": "gpt-4o-mini-2024-07-18",
    "credential": {"secretRef": {"name": "pointsman-credentials", "key": "openai"}},
}


@dataclass
class Tenancy:
    """An owner's namespace with a pool, a guest's with a policy, hub and controller around."""

    plane: ControlPlane
    hub: HubInCluster
    leader: ControllerProcess
    owner: str
    guest: str

    def gateway(self) -> dict[str, str]:
        """A pod of the gateway, as its Deployment would make it; no kubelet runs it here."""
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "gateway-0"},
            "spec": {
                "serviceAccountName": NAME,
                "containers": [{"name": "gateway", "image": "localhost/none:1"}],
            },
        }
        made = self.plane.api.create(f"/api/v1/namespaces/{self.owner}/pods", document)
        pod = {"name": "gateway-0", "uid": str(made["metadata"]["uid"])}
        token = self.plane.token(self.owner, NAME, audience=AUDIENCE, pod=pod)
        return {**pod, "token": token}

    def lines(self, token: str, **query: str) -> Iterator[dict[str, Any]]:
        """What a stream says, pings left out."""
        headers = {"authorization": f"Bearer {token}"}
        url = self.hub.url + "/v1/stream"
        with httpx.stream("GET", url, params=query, headers=headers, timeout=30) as answer:
            assert answer.status_code == 200, answer.read()
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["event"] != "ping":
                    yield event

    def stream(self, token: str, pod: dict[str, str], namespace: str, **query: str) -> Any:
        """The lines of a pod's stream."""
        return self.lines(token, sidecar=pod["uid"], boot="b", namespace=namespace, **query)

    def status(self, kind: str, namespace: str, name: str) -> tuple[str, str]:
        """ResolvedRefs of a resource: status and reason."""
        path = f"/apis/pointsman.dev/v1alpha1/namespaces/{namespace}/{kind}/{name}"
        found = self.plane.api.get(path).get("status", {}).get("conditions", ())
        return next(
            ((it["status"], it["reason"]) for it in found if it["type"] == "ResolvedRefs"), ("", "")
        )

    def there(self) -> set[str]:
        """Kinds of the gateway's objects that exist."""
        found = {}
        for kind in FOLDERS:
            items = self.plane.api.get(path_of(kind, self.owner))["items"]
            found[kind] = [it["metadata"]["name"] for it in items]
        return {kind for kind, names in found.items() if NAME in names}


PAIRS = [(f"owner-{number}", f"guest-{number}") for number in range(5)]
"""One a test: in each first namespace gateways may run."""
BARREN = "barren"
"""Listed as well, but the rights were never given there; the first in every order."""


@pytest.fixture(scope="module")
def tenancies(
    crds: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Iterator[Tenancy]]:
    """One hub and one controller for all of them."""
    home, folder = make_home(crds), tmp_path_factory.mktemp("gateways")
    for namespace in itertools.chain([BARREN], *PAIRS):
        named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        crds.api.create("/api/v1/namespaces", named)
    for owner, _ in PAIRS:
        allow_gateways(crds, home, owner)
    (folder / "hub").mkdir()
    owners = [BARREN, *(owner for owner, _ in PAIRS)]
    listed = ("--gateway-namespaces", ",".join(owners), "--otlp-endpoint", COLLECTOR)
    with (
        hub_in_cluster(crds, folder / "hub", home.namespace) as hub,
        controller(home, hub, folder / "controller", *listed) as leader,
    ):
        eventually(leader.leads, within_s=30)
        yield (Tenancy(crds, hub, leader, *pair) for pair in PAIRS)


@pytest.fixture
def tenancy(tenancies: Iterator[Tenancy]) -> Tenancy:
    """Two namespaces that no other test uses."""
    return next(tenancies)


def resources(owner: str, guest: str) -> list[dict[str, Any]]:
    """The owner's pool is open to the guest, whose policy uses it."""
    opened = {"from": "Names", "names": [guest]}
    return [
        pool(hosted(provider=KEYED), namespace=owner, allowedNamespaces=opened),
        policy(rule(), namespace=guest, pools=[{"name": "main", "namespace": owner}]),
    ]


def test_a_pool_that_others_use_has_a_gateway_with_a_certificate_and_tickets(
    tenancy: Tenancy,
) -> None:
    """From two resources to objects, table, certificate and ticket; a pod that left is told of."""
    owner, guest = tenancy.owner, tenancy.guest
    tenancy.plane.kubectl.apply(*resources(owner, guest))
    eventually(lambda: tenancy.there() == set(FOLDERS), within_s=30)
    made = tenancy.plane.api.get(path_of("Deployment", owner, NAME))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert {"name": "POINTSMAN_OTLP_ENDPOINT", "value": COLLECTOR} in container["env"]
    not_ready = ("False", "GatewayNotReady")
    eventually(lambda: tenancy.status("routingpolicies", guest, "support") == not_ready, 30)
    gateway = tenancy.gateway()
    key = ec.generate_private_key(ec.SECP256R1())
    told = tenancy.stream(gateway["token"], gateway, owner, gateway="pool/main")
    events = {it["event"]: it for it in (next(told), next(told))}
    assert set(events) == {"table", "admission"}
    assert _waiting(tenancy, gateway) == "its first report"
    word = {"digest": events["table"]["digest"], "csr": _request(key)}
    _report(tenancy, gateway, **word, waiting="its certificate")
    certificate = next(it for it in told if it["event"] == "certificate")
    leaf = x509.load_pem_x509_certificate(certificate["chain"].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    host = f"{NAME}.{owner}.svc"
    assert names.get_values_for_type(x509.DNSName) == [host, f"{host}.cluster.local"]
    assert leaf.public_key() == key.public_key()
    assert tenancy.status("routingpolicies", guest, "support") == not_ready
    _report(tenancy, gateway, **word, waiting="")
    eventually(
        lambda: tenancy.status("routingpolicies", guest, "support")[1] != "GatewayNotReady", 30
    )
    pod = tenancy.hub.pod(guest, "shop")
    token = tenancy.hub.pod_token(guest, pod)
    served = tenancy.stream(token, pod, guest, workload="shop", labels="{}")
    tickets = next(it for it in served if it["event"] == "tickets")["tickets"]
    assert set(tickets) == {f"{owner}/main"}
    claims = jwt.decode(tickets[f"{owner}/main"], options={"verify_signature": False})
    assert (claims["sub"], claims["ns"], claims["wl"]) == (pod["uid"], guest, "shop")
    assert claims["exp"] - time.time() <= 3_600
    tenancy.hub.delete_pod(guest, "shop")
    began = time.monotonic()
    revoked = next(it for it in told if it["event"] == "admission")
    assert revoked["revoked"] == [pod["uid"]]
    assert time.monotonic() - began < 10


def test_a_namespace_that_refuses_holds_up_no_other(tenancy: Tenancy) -> None:
    """Its gateway is tried again and again; another's is made, and removed, meanwhile."""
    owner, guest = tenancy.owner, tenancy.guest
    opened, other = resources(BARREN, guest)
    other["metadata"]["name"] = "refused"
    tenancy.plane.kubectl.apply(opened, other)
    eventually(lambda: f"{BARREN}/{NAME}" in tenancy.leader.log(), within_s=30)
    tenancy.plane.kubectl.apply(*resources(owner, guest))
    eventually(lambda: tenancy.there() == set(FOLDERS), within_s=30)
    tenancy.plane.kubectl("-n", guest, "delete", "rpol", "support")
    eventually(lambda: not tenancy.there(), within_s=30)
    eventually(lambda: owner not in {it["namespace"] for it in _tables(tenancy)}, within_s=30)


def test_what_is_not_needed_any_more_is_removed(tenancy: Tenancy) -> None:
    """The guest's policy goes: objects and table go with it; the owner's own stay."""
    owner, guest = tenancy.owner, tenancy.guest
    tenancy.plane.kubectl.apply(*resources(owner, guest))
    eventually(lambda: tenancy.there() == set(FOLDERS), within_s=30)
    tenancy.plane.kubectl("-n", guest, "delete", "rpol", "support")
    eventually(lambda: not tenancy.there(), within_s=30)
    eventually(lambda: not _tables(tenancy), within_s=30)


def test_a_namespace_that_is_not_listed_gets_no_gateway_and_the_policy_says_so(
    tenancy: Tenancy,
) -> None:
    """The same with roles changed: the pool lies where no gateway may run."""
    owner, guest = tenancy.owner, tenancy.guest
    tenancy.plane.kubectl.apply(*resources(guest, owner))
    refused = ("False", "GatewayNamespaceNotAllowed")
    eventually(lambda: tenancy.status("routingpolicies", owner, "support") == refused, 30)
    services = tenancy.plane.api.get(path_of("Service", guest))["items"]
    assert services == []


def test_a_hand_made_pod_obtains_neither_a_key_nor_a_foreign_table(tenancy: Tenancy) -> None:
    """A valid token of the guest's, tried as the owner's gateway, as its pod, and with its ids."""
    owner, guest = tenancy.owner, tenancy.guest
    tenancy.plane.kubectl.apply(*resources(owner, guest))
    eventually(lambda: tenancy.there() == set(FOLDERS), within_s=30)
    eventually(lambda: len(_tables(tenancy)) == 2, within_s=30)
    gateway = tenancy.gateway()
    pod = tenancy.hub.pod(guest, "handmade")
    token = tenancy.hub.pod_token(guest, pod)
    own = {"sidecar": pod["uid"], "boot": "b"}
    call = tenancy.hub.call
    for query in (
        {**own, "namespace": guest, "gateway": "pool/main"},
        {**own, "namespace": owner, "gateway": "pool/main"},
        {**own, "namespace": owner},
        {"sidecar": gateway["uid"], "boot": "b", "namespace": guest},
    ):
        assert call(token, "GET", "/v1/stream", params=query).status_code == 403
    for method, path in (
        ("GET", "/v1/tables"),
        ("GET", "/v1/fleet"),
        ("PUT", f"/v1/certificates/{gateway['uid']}"),
        ("PUT", f"/v1/tables/{owner}/pool:main"),
        ("DELETE", f"/v1/tables/{owner}/pool:main"),
        ("GET", f"/v1/spend?namespace={owner}"),
        ("GET", f"/v1/budgets?namespace={owner}"),
        ("GET", f"/v1/sidecars?namespace={owner}"),
    ):
        headers = {"x-pointsman-fence": "i,1,b"} if "tables/" in path else {}
        answer = call(token, method, path, headers=headers)
        assert answer.status_code == 403, (method, path, answer.text)
    record = {"id": "pm-owners", "time_ms": 1, "policy": f"{owner}/pool:main"}
    report = {"sidecar": gateway["uid"], "boot": "b", "digest": "", "records": [record]}
    kept = call(gateway["token"], "POST", "/v1/reports", json=report)
    assert kept.status_code == 200
    asked = [
        call(token, "GET", f"/v1/decisions/{it}?namespace={owner}").json()["error"]["code"]
        for it in ("pm-owners", "pm-nobody")
    ]
    assert asked[0] == asked[1]
    served = tenancy.stream(token, pod, guest, workload="shop", labels="{}")
    events = [next(served), next(served)]
    ticket = next(it for it in events if it["event"] == "tickets")["tickets"][f"{owner}/main"]
    assert "pointsman-credentials" not in json.dumps(events)
    assert call(ticket, "GET", "/v1/stream", params={**own, "namespace": guest}).status_code == 401


def _tables(tenancy: Tenancy) -> list[dict[str, Any]]:
    """What the hub serves in the two namespaces."""
    answer = tenancy.hub.call(tenancy.hub.controllers_token(), "GET", "/v1/tables")
    own = {tenancy.owner, tenancy.guest}
    return [it for it in answer.json()["tables"] if it["namespace"] in own]


def _waiting(tenancy: Tenancy, gateway: dict[str, str]) -> str:
    """What the hub tells the controller that a gateway's pod lacks."""
    answer = tenancy.hub.call(tenancy.hub.controllers_token(), "GET", "/v1/fleet")
    (told,) = [it for it in answer.json()["sidecars"] if it["sidecar"] == gateway["uid"]]
    return str(told["waiting"])


def _report(tenancy: Tenancy, gateway: dict[str, str], digest: str, **more: str) -> None:
    body = {"sidecar": gateway["uid"], "boot": "b", "digest": digest, **more}
    answer = tenancy.hub.call(gateway["token"], "POST", "/v1/reports", json=body)
    assert answer.status_code == 200, answer.text


def _request(key: ec.EllipticCurvePrivateKey) -> str:
    """What the engine asks for: a key, no names."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()
