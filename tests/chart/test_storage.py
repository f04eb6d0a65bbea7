"""Where the chart lets the hub keep its ledger."""

from __future__ import annotations

from typing import Any

import pytest

from harness.helm import Helm, HelmError
from pointsman_operator.hub.settings import PREFIX, HubSettings
from support.charts import RELEASE, one, rendered

DATABASE = {"hub.storage.type": "PostgreSQL", "hub.storage.postgresql.existingSecret": "db"}


def hub_of(helm: Helm, **values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The hub's StatefulSet and its volumes by name."""
    found = rendered(helm, DATABASE | {f"hub.storage.postgresql.{k}": v for k, v in values.items()})
    hub = one(found, "StatefulSet", f"{RELEASE}-hub")
    return hub, {volume["name"]: volume for volume in hub["spec"]["template"]["spec"]["volumes"]}


def test_a_ledger_in_postgresql_needs_no_volume_and_shows_no_url(helm: Helm) -> None:
    """The URL is a file out of the user's Secret, in no variable and no argument."""
    hub, volumes = hub_of(helm, key="dsn")
    assert "volumeClaimTemplates" not in hub["spec"]
    assert volumes["state"]["emptyDir"] == {}
    items = [{"key": "dsn", "path": "url"}]
    assert volumes["postgresql"]["secret"] == {"secretName": "db", "items": items}
    assert "postgresql-ca" not in volumes
    (container,) = hub["spec"]["template"]["spec"]["containers"]
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert told[f"{PREFIX}POSTGRESQL_URL_FILE"] == mounts["postgresql"] + "/url"
    assert f"{PREFIX}POSTGRESQL_CA_FILE" not in told
    known = {PREFIX + name.upper() for name in HubSettings.model_fields}
    assert {name for name in told if name.startswith(PREFIX)} <= known


@pytest.mark.parametrize("kind", ["configMap", "secret"])
def test_the_servers_authority_is_the_users(helm: Helm, kind: str) -> None:
    """Mounted from a ConfigMap or a Secret, and the hub is told: it verifies the server by it."""
    hub, volumes = hub_of(helm, **{f"ca.{kind}": "roots", "ca.key": "pem"})
    held = volumes["postgresql-ca"]["configMap" if kind == "configMap" else "secret"]
    assert held["items"] == [{"key": "pem", "path": "ca.crt"}]
    assert "roots" in held.values()
    (container,) = hub["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert told[f"{PREFIX}POSTGRESQL_CA_FILE"] == mounts["postgresql-ca"] + "/ca.crt"
    known = {PREFIX + name.upper() for name in HubSettings.model_fields}
    assert {name for name in told if name.startswith(PREFIX)} <= known


def claimed(helm: Helm, **values: Any) -> dict[str, Any]:
    """What the claim asks for that is made with these values below `hub.storage`."""
    found = rendered(helm, {f"hub.storage.{key}": value for key, value in values.items()})
    hub = one(found, "StatefulSet", f"{RELEASE}-hub")
    (claim,) = hub["spec"]["volumeClaimTemplates"]
    assert claim["metadata"] == {"name": "state"}
    assert "state" not in [volume["name"] for volume in hub["spec"]["template"]["spec"]["volumes"]]
    asked: dict[str, Any] = claim["spec"]
    return asked


def test_a_volume_is_claimed_by_default_only(helm: Helm) -> None:
    """With SQLite on a claim nothing speaks of PostgreSQL, and the cluster chooses the class."""
    hub = one(rendered(helm), "StatefulSet", f"{RELEASE}-hub")
    assert "postgresql" not in str(hub).lower()
    assert claimed(helm) == {
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": "5Gi"}},
    }


def test_the_claim_asks_for_what_the_values_say(helm: Helm) -> None:
    """Size, access mode and class; `-` is no class, which is not the same as the default one."""
    asked = claimed(helm, size="1Ti", accessModes=["ReadWriteOnce"], storageClassName="fast")
    assert asked == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1Ti"}},
    }
    assert claimed(helm, storageClassName="-")["storageClassName"] == ""


def test_a_claim_of_the_users_is_mounted_and_none_is_made(helm: Helm) -> None:
    """With `existingClaim`."""
    found = rendered(helm, {"hub.storage.existingClaim": "ledger"})
    hub = one(found, "StatefulSet", f"{RELEASE}-hub")
    assert "volumeClaimTemplates" not in hub["spec"]
    volumes = {volume["name"]: volume for volume in hub["spec"]["template"]["spec"]["volumes"]}
    assert volumes["state"] == {
        "name": "state",
        "persistentVolumeClaim": {"claimName": "ledger"},
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"type": "EmptyDir", "size": "9Gi"}, "size does nothing with type EmptyDir"),
        (
            {
                "type": "PostgreSQL",
                "postgresql.existingSecret": "db",
                "accessModes": ["ReadWriteOnce"],
            },
            "accessModes does nothing with type PostgreSQL",
        ),
        ({"type": "EmptyDir", "existingClaim": "mine"}, "existingClaim does nothing with type"),
        ({"type": "EmptyDir", "storageClassName": "a"}, "storageClassName does nothing with type"),
        ({"existingClaim": "mine", "size": "9Gi"}, "size does nothing with existingClaim"),
        ({"postgresql.key": "dsn"}, "postgresql.key does nothing with type PersistentVolumeClaim"),
        ({"postgresql.ca.key": "pem"}, "ca.key does nothing without ca.configMap or ca.secret"),
    ],
    ids=str,
)
def test_what_belongs_to_another_storage_is_refused(
    helm: Helm, values: dict[str, Any], said: str
) -> None:
    """The sentence names the value, why it does nothing, and what to do."""
    with pytest.raises(HelmError, match=f"{said}.*: leave it out"):
        rendered(helm, {f"hub.storage.{key}": value for key, value in values.items()})


def test_a_change_of_storage_forgets_a_size_by_null(helm: Helm) -> None:
    """As the refusal says, for who upgrades with the values of before."""
    hub_of(helm)
    rendered(helm, DATABASE | {"hub.storage.size": None})
