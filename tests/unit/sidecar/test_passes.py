"""What the hub says of gateways reaches the engine, and tickets outlive a restart."""

from __future__ import annotations

from pathlib import Path

from pointsman_sidecar.passes import Passes
from support.border import RecordingEngine


def test_tickets_are_kept_for_the_next_start_readable_by_its_user_only(tmp_path: Path) -> None:
    """A restarted sidecar calls gateways also while the hub is away."""
    told = {"event": "tickets", "tickets": {"a/main": "one.two"}}
    Passes(RecordingEngine(), tmp_path).take(told)
    assert (tmp_path / "tickets.json").stat().st_mode & 0o777 == 0o600
    fresh = RecordingEngine()
    Passes(fresh, tmp_path).restore()
    assert fresh.passes == [("tickets", b'{"a/main": "one.two"}')]


def test_what_is_refused_or_not_ours_changes_nothing(tmp_path: Path) -> None:
    """A broken event is logged, a newer hub's left alone, garbage on disk no reason to end."""
    engine, kept = RecordingEngine(), tmp_path / "tickets.json"
    passes = Passes(engine, tmp_path)
    passes.take({"event": "tickets"})
    passes.take({"event": "something new"})
    assert (engine.passes, kept.exists()) == ([], False)
    kept.write_text("[]")
    passes.restore()
    assert engine.passes == []


def test_a_gateway_gets_its_guests_and_its_certificate(tmp_path: Path) -> None:
    """Keys and void tickets as the hub says them, also at the next start; the chain as it is."""
    engine = RecordingEngine()
    passes = Passes(engine, tmp_path)
    passes.take({"event": "admission", "keys": {"k": "x"}, "revoked": ["uid"], "newer": 1})
    passes.take({"event": "certificate", "chain": "PEM"})
    assert engine.passes == [
        ("admission", b'{"keys": {"k": "x"}, "revoked": ["uid"]}'),
        ("certificate", b"PEM"),
    ]
    fresh = RecordingEngine()
    Passes(fresh, tmp_path).restore()
    assert fresh.passes == engine.passes[:1]
