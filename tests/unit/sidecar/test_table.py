"""Tables reach the engine checked and fenced, and the last good one survives a restart."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pointsman_sidecar import limits
from pointsman_sidecar.table import (
    Envelope,
    Fence,
    TableError,
    Tables,
    digest_of,
    read_file,
    unpack,
    unzip,
)
from support.border import RecordingEngine


def envelope(text: str, fence: Fence | None = None) -> Envelope:
    """A table whose content the engine does not look at."""
    table = json.dumps({"version": 1, "note": text}).encode()
    return Envelope(digest_of(table), table, fence)


def written_by(installation: str, transitions: int) -> Fence:
    """A controller's fence."""
    return Fence(installation, transitions, "boot")


@pytest.mark.parametrize(
    ("first", "second", "through_hub", "taken"),
    [
        (None, None, False, True),
        (written_by("a", 3), written_by("a", 3), False, True),
        (written_by("a", 3), written_by("a", 4), False, True),
        (written_by("a", 3), written_by("a", 2), True, False),
        (written_by("a", 3), written_by("b", 9), False, False),
        (written_by("a", 3), written_by("b", 1), True, True),
        (written_by("a", 3), None, False, False),
    ],
)
def test_an_older_controller_never_wins(
    first: Fence | None, second: Fence | None, *, through_hub: bool, taken: bool
) -> None:
    """Within an installation the younger fence wins; another installation only through the hub."""
    engine = RecordingEngine()
    tables = Tables(engine, None)
    assert tables.offer(envelope("one", first), authenticated=through_hub)
    assert tables.offer(envelope("two", second), authenticated=through_hub) is taken
    assert len(engine.loaded) == 1 + taken
    assert bool(tables.in_force().rejected_reason) is not taken


def test_a_table_that_the_engine_refuses_leaves_the_old_one() -> None:
    """The hub learns the digest in force and, beside it, which one was refused and why."""
    tables = Tables(RecordingEngine(), None)
    good, bad = envelope("good"), envelope("unreadable")
    tables.offer(good, authenticated=True)
    assert not tables.offer(bad, authenticated=True)
    state = tables.in_force()
    assert (state.digest, state.rejected_digest) == (good.digest, bad.digest)
    assert state.rejected_reason == "Invalid: models[0].tier: not a number"
    tables.offer(envelope("better"), authenticated=True)
    assert tables.in_force().rejected_digest == ""


def test_the_last_good_table_is_there_at_the_next_start(tmp_path: Path) -> None:
    """A restarted sidecar serves before it has reached the hub, and keeps the fence."""
    kept = tmp_path / "table.json"
    one = envelope("one", written_by("a", 7))
    Tables(RecordingEngine(), kept).offer(one, authenticated=True)
    assert kept.stat().st_mode & 0o777 == 0o600
    engine = RecordingEngine()
    tables = Tables(engine, kept)
    tables.restore()
    assert engine.loaded == [one.table]
    assert not tables.offer(envelope("old", written_by("a", 6)), authenticated=True)


@pytest.mark.parametrize("content", [b"", b"{", b'{"digest": "sha256:0", "table": "AAAA"}', b"[]"])
def test_a_broken_last_good_table_does_not_stop_the_start(tmp_path: Path, content: bytes) -> None:
    """What a crash left half-written is passed over."""
    kept = tmp_path / "table.json"
    kept.write_bytes(content)
    engine = RecordingEngine()
    Tables(engine, kept).restore()
    assert engine.loaded == []


def test_bytes_that_are_not_the_digest_are_refused() -> None:
    """A table that was changed on its way is not loaded."""
    document = json.loads(envelope("one").packed())
    document["digest"] = digest_of(b"other")
    with pytest.raises(TableError, match="not those of"):
        unpack(document)


def test_a_bomb_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking stops at the bound."""
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 1000)
    assert unzip(gzip.compress(b"x" * 999)) == b"x" * 999
    with pytest.raises(TableError, match="larger"):
        unzip(gzip.compress(b"x" * 100_000))


def test_a_table_file_may_be_written_by_hand(tmp_path: Path) -> None:
    """Whitespace and order do not matter in a file: the engine gets canonical bytes."""
    path = tmp_path / "table.json"
    path.write_text('{ "version": 1,\n "b": 2, "a": "é" }')
    assert read_file(path).table == '{"a":"é","b":2,"version":1}'.encode()
    packed = tmp_path / "table.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_file(packed) == read_file(path)
