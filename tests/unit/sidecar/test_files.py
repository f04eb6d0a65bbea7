"""Tables from a mounted ConfigMap: whose they are, when they count, and what they cannot do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pointsman_sidecar import limits
from pointsman_sidecar.files import FileSource
from pointsman_sidecar.table import Envelope, Fence, Tables, digest_of
from pointsman_sidecar.target import read_labels
from support.border import RecordingEngine


def table(note: str) -> Envelope:
    """A table of the controller's."""
    content = json.dumps({"version": 1, "note": note}).encode()
    return Envelope(digest_of(content), content, Fence("here", 3, "boot"))


def put(folder: Path, policy: str, envelope: Envelope, priority: int = 0, **labels: str) -> None:
    """What the controller writes into the ConfigMap for a policy."""
    target = {"labels": labels, "order": [-priority, "2026-01-01T00:00:00Z", policy]}
    document = json.loads(envelope.packed()) | {"target": target}
    draft = folder / "draft"
    draft.write_bytes(gzip.compress(json.dumps(document).encode(), mtime=0))
    draft.replace(folder / f"{policy}.json.gz")


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """The mounted ConfigMap, with the labels beside it."""
    (tmp_path / "labels").write_text('app="support"\npod-template-hash="5d9"\n')
    folder = tmp_path / "tables"
    folder.mkdir()
    return folder


def test_the_labels_choose_the_table(mount: Path) -> None:
    """Of several policies the one that is for this pod; other labels, another table."""
    engine = RecordingEngine()
    source = FileSource(mount, Tables(engine, None), mount.parent / "labels")
    put(mount, "support", table("support"), app="support")
    put(mount, "billing", table("billing"), priority=9, app="billing")
    seen = source.look(())
    assert engine.loaded == [table("support").table]
    assert source.look(seen) == seen
    (mount.parent / "labels").write_text('app="billing"\n')
    seen = source.look(seen)
    assert engine.loaded[1:] == [table("billing").table]
    put(mount, "billing", table("billing two"), app="billing")
    source.look(seen)
    assert engine.loaded[2:] == [table("billing two").table]


def test_nothing_for_this_pod_is_no_table(mount: Path) -> None:
    """An empty mount, one that is not there, and policies for others all leave the engine bare."""
    engine = RecordingEngine()
    tables = Tables(engine, None)
    assert FileSource(mount, tables).look(()) == ((),)
    put(mount, "billing", table("billing"), app="billing")
    FileSource(mount, tables, mount.parent / "labels").look(())
    FileSource(mount / "absent", tables).look(())
    assert engine.loaded == []
    assert "absent" in tables.trouble["file"]


def test_a_config_map_never_undoes_what_the_hub_has_sent(
    mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the hub is there its table stays; when it has been away for long the file counts."""
    engine = RecordingEngine()
    tables = Tables(engine, None)
    source = FileSource(mount, tables)
    put(mount, "support", table("of the kubelet, late"))
    tables.heard_hub()
    tables.offer(table("of the hub"), authenticated=True)
    assert source.look(()) == ()
    assert not tables.offer(table("forged"), authenticated=False)
    assert engine.loaded == [table("of the hub").table]
    monkeypatch.setattr(limits, "HUB_AWAY_S", 0.0)
    source.look(())
    assert engine.loaded[1:] == [table("of the kubelet, late").table]


def test_a_forged_fence_does_not_keep_the_hub_out() -> None:
    """Who may write the ConfigMap may claim any fence; the hub's table wins all the same."""
    engine = RecordingEngine()
    tables = Tables(engine, None)
    forged = table("forged")
    tables.offer(Envelope(forged.digest, forged.table, Fence("here", 10**9, "x")),
                 authenticated=False)  # fmt: skip
    assert tables.digest_from_hub == ""
    assert tables.offer(table("true"), authenticated=True)
    assert tables.digest_from_hub == table("true").digest


def test_a_target_that_is_none_is_refused(mount: Path) -> None:
    """A broken target does not count as 'for anybody', and is told to the hub."""
    engine = RecordingEngine()
    tables = Tables(engine, None)
    document = json.loads(table("x").packed()) | {"target": {"labels": {}, "order": [1]}}
    (mount / "x.json.gz").write_bytes(gzip.compress(json.dumps(document).encode()))
    FileSource(mount, tables).look(())
    assert engine.loaded == []
    assert "not a target" in tables.trouble["file"]
    put(mount, "x", table("x"))
    FileSource(mount, tables).look(())
    assert tables.trouble == {}


def test_labels_are_read_as_the_downward_api_writes_them(tmp_path: Path) -> None:
    """One line a label, the value quoted; no file, no labels."""
    path = tmp_path / "labels"
    path.write_text('app.kubernetes.io/name="a"\nempty=""\n')
    assert read_labels(path) == {"app.kubernetes.io/name": "a", "empty": ""}
    assert read_labels(None) == {}
