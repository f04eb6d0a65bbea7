"""The sidecar as the injector sets it up: a mounted ConfigMap, labels, keys, probes."""

from __future__ import annotations

import base64
import gzip
import json
import re
import ssl
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from pointsman_operator.inject.names import API_TOKEN_DIR
from pointsman_sidecar._engine import Engine
from pointsman_sidecar.settings import PARSERS, read_settings
from pointsman_sidecar.table import digest_of
from support.eventually import eventually
from support.hub_process import HubProcess, hub_process
from support.line import line
from support.pods import SETTINGS, injected, pod, sidecar_of
from support.processes import Sidecar, ended

CONFIGURED_WAIT_S = 5.0
COMES_BACK_S = 120.0
"""Waits between attempts grow to twenty seconds, for stream and ledger apart."""


def mount(folder: Path, policy: str, table: bytes, order: int, **labels: str) -> None:
    """What the controller writes into the ConfigMap for a policy."""
    target = {"labels": labels, "order": [order, "2026-01-01T00:00:00Z", policy]}
    document = {
        "digest": digest_of(table),
        "fence": {"installation": "i", "transitions": 1, "boot": "b"},
        "target": target,
        "table": base64.b64encode(gzip.compress(table)).decode(),
    }
    draft = folder.parent / f"{policy}.draft"
    draft.write_bytes(gzip.compress(json.dumps(document).encode()))
    draft.replace(folder / f"{policy}.json.gz")


def test_a_pod_starts_without_a_table_and_takes_the_one_that_is_for_it(tmp_path: Path) -> None:
    """The startup probe passes after five seconds; of a ConfigMap's tables the labels choose."""
    tables, labels = tmp_path / "tables", tmp_path / "labels"
    tables.mkdir()
    labels.write_text('app="support"\n')
    (tmp_path / "other").mkdir()
    with line(tmp_path / "other", "a") as made:
        table = made.sidecar.table_path.read_bytes()
        began = time.monotonic()
        fresh = Sidecar(
            tmp_path,
            POINTSMAN_TABLE_PATH=str(tables),
            POINTSMAN_LABELS_FILE=str(labels),
        )
        with ended(fresh):
            assert time.monotonic() - began > CONFIGURED_WAIT_S - 0.5
            assert fresh.probe("/livez")
            assert fresh.state()["digest"] is None
            other = json.dumps({**json.loads(table), "catalogue": "sha256:other"}).encode()
            mount(tables, "others", other, -9, app="billing")
            mount(tables, "support", table, 0, app="support")
            eventually(lambda: fresh.state()["digest"] == digest_of(table), 10)


def test_the_injectors_environment_is_the_sidecars(tmp_path: Path) -> None:
    """Every variable that injection writes is one that the sidecar reads; together they hold."""
    bundle = trustme.CA().cert_pem.bytes().decode()
    made, _ = injected(pod(), settings=replace(SETTINGS, hub_ca=bundle))
    container = sidecar_of(made)
    variables = {
        it["name"]: it.get("value", "uid-1").replace("$(POINTSMAN_POD_IP)", "10.0.0.7")
        for it in container["env"]
    }
    known = {f"POINTSMAN_{name.upper()}" for name in PARSERS}
    assert set(variables) - known == {"POINTSMAN_POD_IP"}
    settings = read_settings(variables)
    assert settings.admin_address == "10.0.0.7:4618"
    config = json.loads(settings.engine_config())
    assert config["hub"]["caFile"] == f"{settings.state_dir}/hub-ca.pem"
    own = (it for it in container["volumeMounts"] if it["mountPath"] != API_TOKEN_DIR)
    mounts = {it["name"]: it["mountPath"] for it in own}
    assert str(settings.state_dir) == mounts["pointsman-state"]
    assert str(settings.table_path) == mounts["pointsman-tables"]
    assert str(settings.labels_file) == f"{mounts['pointsman-labels']}/labels"
    assert str(settings.hub_token_file) == f"{mounts['pointsman-token']}/token"
    credentials = f"{settings.secrets_dir}/pointsman-credentials"
    assert credentials == mounts["pointsman-credentials"]
    config["data"]["address"] = config["admin"]["address"] = "127.0.0.1:0"
    config["admin"]["debugAddress"] = "127.0.0.1:0"
    config["stateDir"] = str(tmp_path)
    assert json.loads(Engine(json.dumps(config).encode()).state())["journal"] == "ok"


def test_the_state_tells_which_keys_the_mounts_lack(tmp_path: Path) -> None:
    """By Secret and key, never by content; a key that appears is seen without a restart."""
    with line(tmp_path, "a") as made:
        table: dict[str, Any] = json.loads(made.sidecar.table_path.read_bytes())
        provider = table["models"][0]["provider"]
        provider["credential"] = {"secret": "pointsman-credentials", "key": "openai"}
        provider["allowedHosts"] = ["127.0.0.1"]
        made.sidecar.write_table(table)
        name = "pointsman-credentials/openai"
        eventually(lambda: made.sidecar.state()["credentials"].get(name) == "missing", 10)
        secret = tmp_path / "secrets" / "pointsman-credentials"
        secret.mkdir(parents=True)
        (secret / "openai").write_text("sk-canary-in-a-pod")
        eventually(lambda: made.sidecar.state()["credentials"].get(name) == "ok", 10)
        assert "canary" not in json.dumps(made.sidecar.state())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_hubs_authority_may_change_under_a_running_sidecar(tmp_path: Path) -> None:
    """Another root, in the mount and at the hub: the stream and the engine's syncs come back."""
    hub_folder, tables = tmp_path / "hub", tmp_path / "tables"
    for folder in (hub_folder, tables):
        folder.mkdir()
    first, second = trustme.CA(), trustme.CA()
    with serving(hub_folder, first) as hub:
        address, url = hub.address, hub.url
        sidecar = Sidecar(
            tmp_path,
            POINTSMAN_HUB_URL=url,
            POINTSMAN_HUB_TOKEN_FILE=str(hub_folder / "token"),
            POINTSMAN_HUB_CA=first.cert_pem.bytes().decode(),
            POINTSMAN_TABLE_PATH=str(tables),
        )
        with ended(sidecar):
            eventually(lambda: spoken_to(hub, first), COMES_BACK_S)
            hub.stop()
            with serving(hub_folder, second, "--listen", address) as renewed:
                (tables / "ca.crt").write_bytes(second.cert_pem.bytes())
                eventually(lambda: spoken_to(renewed, second), COMES_BACK_S)


def serving(folder: Path, authority: trustme.CA, *flags: str) -> AbstractContextManager[HubProcess]:
    """A hub in TLS, its certificate of this authority."""
    leaf = authority.issue_cert("127.0.0.1")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    leaf.cert_chain_pems[0].write_to_path(str(certificate))
    leaf.private_key_pem.write_to_path(str(key))
    return hub_process(folder, "--tls-cert", str(certificate), "--tls-key", str(key), *flags)


def spoken_to(hub: HubProcess, authority: trustme.CA) -> bool:
    """Whether a sidecar's stream is open and its engine has synced with this very process."""
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with httpx.Client(base_url=hub.url, headers=hub.headers, verify=trust) as client:
        rows = client.get("/v1/sidecars").json()
        synced = re.search(
            r'^pointsman_ledger_syncs_total{result="ok"} [1-9]',
            client.get("/metrics").text,
            re.MULTILINE,
        )
    return any(row["connected"] for row in rows) and synced is not None
