"""The objects of gateways are those that were reviewed: `gateways/*.json`, one of each kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pointsman_operator.api.gateways import Kind, host, service_name
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.inject import names
from pointsman_operator.owned import gateway_pod
from pointsman_operator.owned.gateway import DATA_PORT, INJECT, Gateway, Site
from pointsman_operator.owned.gateway_objects import deployment, objects

SITE = Site(
    image="pointsman-sidecar:1",
    hub_url="https://pointsman-hub.pointsman.svc:443",
    hub_ca="PEM",
    installation="uid",
)


def gateway(kind: Kind) -> Gateway:
    """One of either kind."""
    return Gateway(kind, ObjectName("ai", "main"))


@pytest.mark.parametrize("kind", ["pool", "policy"])
def test_the_objects_are_those_that_were_reviewed(kind: Kind) -> None:
    """ServiceAccount, Deployment, Service and PodDisruptionBudget, byte by byte."""
    golden = Path(__file__).parent / "gateways" / f"{kind}.json"
    made = json.dumps(objects(gateway(kind), SITE), indent=1, sort_keys=True) + "\n"
    assert made == golden.read_text()


def test_a_gateways_pod_gets_no_sidecar_and_is_found_by_injections_own_names() -> None:
    """Injection leaves it alone; what both mount has one name and one place."""
    template = deployment(gateway("pool"), SITE)["spec"]["template"]
    assert template["metadata"]["labels"][names.INJECT] == "false"
    assert (INJECT, DATA_PORT) == (names.INJECT, names.DATA_PORT)
    assert (gateway_pod.RUN, gateway_pod.STATE_DIR) == (names.RUN, names.STATE_DIR)
    assert names.CREDENTIALS == gateway_pod.CREDENTIALS


def test_only_a_policys_gateway_mounts_the_hashes_of_keys() -> None:
    """A pool's gateway lets pods in by tickets, and mounts nothing that it does not need."""
    made = {kind: json.dumps(deployment(gateway(kind), SITE)) for kind in ("pool", "policy")}
    assert "pointsman-api-keys" in made["policy"]
    assert "pointsman-api-keys" not in made["pool"]


def test_spans_go_where_the_installation_sends_them() -> None:
    """As injected sidecars' do; without a collector nothing of it is in the environment."""

    def told(site: Site) -> dict[str, str]:
        spec = deployment(gateway("pool"), site)["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        return {it["name"]: it["value"] for it in container["env"] if "_OTLP_" in it["name"]}

    assert told(SITE) == {}
    collected = replace(SITE, otlp_endpoint="http://collector:4318", otlp_sample_percent=0)
    assert told(collected) == {
        "POINTSMAN_OTLP_ENDPOINT": "http://collector:4318",
        "POINTSMAN_OTLP_SAMPLE_PERCENT": "0",
    }


def test_names_are_labels_however_long() -> None:
    """A Service's name has at most 63 characters; two long pools do not share one."""
    first, second = "a" * 60 + "-b", "a" * 60 + "-c"
    assert service_name("pool", "main") == "pointsman-gateway-main"
    assert host("policy", ObjectName("ai", "x")) == "pointsman-entry-x.ai.svc"
    assert len(service_name("pool", first)) <= 63
    assert service_name("pool", first) != service_name("pool", second)
