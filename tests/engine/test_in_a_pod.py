"""The sidecar as the injector sets it up: a mounted ConfigMap, labels, keys, probes."""

from __future__ import annotations

import base64
import gzip
import json
import time
from pathlib import Path
from typing import Any

from pointsman_sidecar.table import digest_of
from support.eventually import eventually
from support.line import line
from support.processes import Sidecar, ended

CONFIGURED_WAIT_S = 5.0


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
        pod = Sidecar(
            tmp_path,
            POINTSMAN_TABLE_PATH=str(tables),
            POINTSMAN_LABELS_FILE=str(labels),
        )
        with ended(pod):
            assert time.monotonic() - began > CONFIGURED_WAIT_S - 0.5
            assert pod.probe("/livez")
            assert pod.state()["digest"] is None
            other = json.dumps({**json.loads(table), "catalogue": "sha256:other"}).encode()
            mount(tables, "others", other, -9, app="billing")
            mount(tables, "support", table, 0, app="support")
            eventually(lambda: pod.state()["digest"] == digest_of(table), 10)


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
