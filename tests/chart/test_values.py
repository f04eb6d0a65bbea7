"""Values that cannot be are refused with the place where they are; what is taken has an effect."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from harness.helm import Helm, HelmError
from support.charts import CHART, flags, rendered

COLLECTOR = "http://collector.observability:4318"
DATABASE = {"hub.storage.type": "PostgreSQL", "hub.storage.postgresql.existingSecret": "db"}
CA = "hub.storage.postgresql.ca"
WRONG = [
    ({"replicaCount": 2}, "replicaCount"),
    ({"controller.replica": 2}, "replica"),
    ({"controller.replicas": 0}, "/controller/replicas"),
    ({"controller.replicas": "two"}, "/controller/replicas"),
    ({"controller.resources.limit": {}}, "limit"),
    ({"controller.resources.limits": {"memory": "lots"}}, "/controller/resources/limits/memory"),
    ({"image.operator.digest": "sha256:abc"}, "/image/operator/digest"),
    ({"image.pullPolicy": "Sometimes"}, "/image/pullPolicy"),
    ({"image.sidecar.repository": ""}, "/image/sidecar/repository"),
    ({"injector.timeoutSeconds": 31}, "/injector/timeoutSeconds"),
    ({"injector.failurePolicy": "Fail"}, "failurePolicy"),
    ({"hub.replicas": 2}, "replicas"),
    ({"hub.storage.type": "Postgres"}, "/hub/storage/type"),
    ({"hub.storage.size": "large"}, "/hub/storage/size"),
    ({"hub.storage.storageClassName": "Fast"}, "/hub/storage/storageClassName"),
    ({"hub.storage.accessModes": ["ReadWriteMany"]}, "/hub/storage/accessModes/0"),
    ({"hub.storage.accessModes": []}, "/hub/storage/accessModes"),
    ({"hub.storage.existingClaim": "My_Claim"}, "/hub/storage/existingClaim"),
    ({"hub.storage.type": "PostgreSQL"}, "/hub/storage/postgresql/existingSecret"),
    ({"hub.storage.postgresql.existingSecret": "db"}, "/hub/storage/postgresql/existingSecret"),
    ({"hub.storage.postgresql.url": "postgresql://h/d"}, "url"),
    ({**DATABASE, "hub.storage.postgresql.key": "a b"}, "/hub/storage/postgresql/key"),
    ({**DATABASE, f"{CA}.configMap": "a", f"{CA}.secret": "b"}, "/hub/storage/postgresql/ca"),
    ({"hub.extraEnv": [{"value": "x"}]}, "/hub/extraEnv/0"),
    ({"namespaces": ["Not_A_Name"]}, "/namespaces/0"),
    ({"platformNamespaces": "one"}, "/platformNamespaces"),
    ({"sidecar.resources": {}}, "resources"),
    ({"sidecar.logLevel": "loud"}, "/sidecar/logLevel"),
    ({"sidecar.tracing.otlpEndpoint": "collector:4318"}, "/sidecar/tracing/otlpEndpoint"),
    ({"sidecar.tracing.samplePercent": 101}, "/sidecar/tracing/samplePercent"),
    ({"monitoring.rules.enabled": "yes"}, "/monitoring/rules/enabled"),
    ({"crds.install": True}, "install"),
]


@pytest.mark.parametrize(("values", "said"), WRONG, ids=str)
def test_what_cannot_be_is_refused(helm: Helm, values: dict[str, Any], said: str) -> None:
    """Unknown keys and impossible values fail, and the message names the place."""
    with pytest.raises(HelmError, match=said.replace("/", "[./]")):
        rendered(helm, values)


def test_a_variable_that_is_there_twice_is_refused(helm: Helm) -> None:
    """Server-side apply would fail on it much later."""
    for name in ("POINTSMAN_HUB_STATE", "MINE"):
        twice = [{"name": name, "value": "1"}, {"name": "MINE", "value": "2"}]
        with pytest.raises(HelmError, match=f"hub.extraEnv: {name} is there already"):
            rendered(helm, {"hub.extraEnv": twice})


def test_values_of_all_charts_are_taken(helm: Helm) -> None:
    """`global` belongs to the charts that this one is part of."""
    assert rendered(helm, {"global": {"anything": 1}}) == rendered(helm)


def test_the_schema_knows_every_value_and_no_other() -> None:
    """values.yaml, which people read, and values.schema.json, which decides, name the same keys."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    del schema["properties"]["global"]
    assert _named(values, schema) == []


@pytest.mark.parametrize("number", range(4))
def test_every_value_changes_what_is_installed(helm: Helm, number: int) -> None:
    """No value is accepted and ignored (I10); in parts, for each value is a run of Helm."""
    plain = rendered(helm, None, "--api-versions", "monitoring.coreos.com/v1")
    for values in EFFECTS[number::4]:
        name = ", ".join(values)
        changed = rendered(helm, values, "--api-versions", "monitoring.coreos.com/v1")
        assert changed != plain, name


def test_the_chart_lints(helm: Helm) -> None:
    """`helm lint --strict` has nothing to say, with and without the optional parts."""
    helm("lint", "--strict", CHART)
    helm("lint", "--strict", CHART, *flags({"hub.storage.type": "EmptyDir", "namespaces": ["a"]}))


def _named(values: Any, schema: dict[str, Any], place: str = "") -> list[str]:
    """Where the two disagree."""
    if "properties" not in schema:
        return []
    known = schema["properties"]
    differing = [f"{place}.{key}" for key in values.keys() ^ known.keys()]
    if schema.get("additionalProperties", True) is not False:
        differing.append(f"{place} is open")
    for key in values.keys() & known.keys():
        if isinstance(values[key], dict):
            differing += _named(values[key], known[key], f"{place}.{key}")
    return [each for each in differing if not each.endswith((".limits", ".requests"))]


def _of_a_role(role: str) -> list[dict[str, Any]]:
    return [
        {f"{role}.logLevel": "debug"},
        {f"{role}.resources.limits": {"memory": "700Mi"}},
        {f"{role}.nodeSelector": {"a": "b"}},
        {f"{role}.tolerations": [{"operator": "Exists"}]},
        {f"{role}.affinity": {"nodeAffinity": {}}},
        {f"{role}.priorityClassName": "high"},
        {f"{role}.podAnnotations": {"a": "b"}},
        {f"{role}.extraEnv": [{"name": "A", "value": "b"}]},
    ]


EFFECTS: list[dict[str, Any]] = [
    {"nameOverride": "points"},
    {"fullnameOverride": "points"},
    {"image.registry": "registry.example.com/platform"},
    {"image.pullPolicy": "Always"},
    {"image.pullSecrets": ["pull"]},
    {"image.operator.repository": "other"},
    {"image.operator.tag": "9"},
    {"image.operator.digest": "sha256:" + "0" * 64},
    {"image.sidecar.repository": "other"},
    {"image.sidecar.tag": "9"},
    {"image.sidecar.digest": "sha256:" + "0" * 64},
    {"sidecar.tracing.otlpEndpoint": COLLECTOR},
    {"sidecar.tracing.otlpEndpoint": COLLECTOR, "sidecar.tracing.samplePercent": 5},
    {"crds.enabled": False},
    {"crds.keep": False},
    {"namespaces": ["apps"]},
    {"platformNamespaces": ["platform"]},
    {"controller.replicas": 1},
    {"injector.replicas": 3},
    {"injector.timeoutSeconds": 9},
    {"hub.storage.type": "EmptyDir"},
    DATABASE,
    {"hub.storage.size": "7Gi"},
    {"hub.storage.storageClassName": "fast"},
    {"hub.storage.accessModes": ["ReadWriteOnce"]},
    {"hub.storage.existingClaim": "ledger"},
    {**DATABASE, "hub.storage.postgresql.key": "dsn"},
    {**DATABASE, f"{CA}.configMap": "roots"},
    {**DATABASE, f"{CA}.secret": "roots", f"{CA}.key": "pem"},
    {"sidecar.logLevel": "debug"},
    {"test.namespace": "apps"},
    {"networkPolicy.enabled": False},
    {"monitoring.podMonitor.enabled": False},
    {"monitoring.podMonitor.interval": "5s"},
    {"monitoring.podMonitor.labels": {"a": "b"}},
    {"monitoring.rules.enabled": False},
    {"monitoring.rules.labels": {"a": "b"}},
    {"monitoring.dashboards.enabled": False},
    {"monitoring.dashboards.labels": {"a": "b"}},
    *(values for role in ("controller", "injector", "hub") for values in _of_a_role(role)),
]
