"""Where the chart lets the hub keep its ledger."""

from __future__ import annotations

from typing import Any

import pytest

from harness.helm import Helm
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
    assert "PGSSLROOTCERT" not in told
    known = {PREFIX + name.upper() for name in HubSettings.model_fields}
    assert {name for name in told if name.startswith(PREFIX)} <= known


@pytest.mark.parametrize("kind", ["configMap", "secret"])
def test_the_servers_authority_is_the_users(helm: Helm, kind: str) -> None:
    """Mounted from a ConfigMap or a Secret, and libpq is told."""
    hub, volumes = hub_of(helm, **{f"ca.{kind}": "roots", "ca.key": "pem"})
    held = volumes["postgresql-ca"]["configMap" if kind == "configMap" else "secret"]
    assert held["items"] == [{"key": "pem", "path": "ca.crt"}]
    assert "roots" in held.values()
    (container,) = hub["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert told["PGSSLROOTCERT"] == mounts["postgresql-ca"] + "/ca.crt"


def test_a_volume_is_claimed_by_default_only(helm: Helm) -> None:
    """With SQLite on a claim nothing speaks of PostgreSQL."""
    hub = one(rendered(helm), "StatefulSet", f"{RELEASE}-hub")
    (claim,) = hub["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert "postgresql" not in str(hub).lower()
