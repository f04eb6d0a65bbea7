"""Endpoints of self-hosted models reach the engine, survive a restart, and forget loads in time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pointsman_sidecar import limits
from pointsman_sidecar._engine import Engine, EngineError
from pointsman_sidecar.fleet import Fleet
from support.border import RecordingEngine

URL = "http://10.1.2.3:8000"
MODELS: dict[str, Any] = {
    "main/llama": {"state": "Ready", "endpoints": [{"url": URL, "level": 3}]},
    "main/other": {"state": "Asleep", "endpoints": []},
}
UNLEVELLED = {
    "main/llama": {"state": "Ready", "endpoints": [{"url": URL}]},
    "main/other": {"state": "Asleep", "endpoints": []},
}


def event(models: Any = MODELS) -> dict[str, Any]:
    """As the hub streams it."""
    return {"event": "fleet", "rev": 7, "models": models}


@pytest.fixture
def engine() -> RecordingEngine:
    """What fleets are given to."""
    return RecordingEngine()


def test_the_engine_takes_what_the_hub_tells(engine: RecordingEngine) -> None:
    """The models cross as they came; what the event holds beside them does not."""
    assert Fleet(engine, None).offer(event())
    assert engine.fleets == [MODELS]


@pytest.mark.parametrize("models", [None, [], {"main/llama": 7}, {"unreadable": {}}])
def test_a_wrong_fleet_is_refused_whole(
    engine: RecordingEngine, models: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The one before stays, here and for the next start, and the log says why."""
    kept = tmp_path / "fleet.json"
    fleet = Fleet(engine, kept)
    fleet.offer(event())
    assert not fleet.offer(event(models))
    assert engine.fleets == [MODELS]
    assert json.loads(kept.read_bytes())["models"] == MODELS
    assert "fleet 7 refused" in caplog.text


def test_another_start_finds_the_endpoints(engine: RecordingEngine, tmp_path: Path) -> None:
    """Without the hub: the endpoints of before, how loaded they are is not known."""
    Fleet(RecordingEngine(), tmp_path / "fleet.json").offer(event())
    Fleet(engine, tmp_path / "fleet.json").restore()
    assert engine.fleets == [UNLEVELLED]


@pytest.mark.parametrize("content", ["", "[]", '{"models": {"unreadable": {}}}'])
def test_rubbish_that_was_kept_is_nothing(
    engine: RecordingEngine, tmp_path: Path, content: str
) -> None:
    """A start goes on without a fleet."""
    (tmp_path / "fleet.json").write_text(content)
    Fleet(engine, tmp_path / "fleet.json").restore()
    assert engine.fleets == []


def test_levels_are_forgotten_once_the_hub_is_away_for_long(
    engine: RecordingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while it speaks or is away for a moment; then once, and the endpoints stay."""
    fleet = Fleet(engine, None)
    fleet.heard_hub()
    fleet.offer(event())
    fleet.age()
    assert engine.fleets == [MODELS]
    monkeypatch.setattr(limits, "HUB_AWAY_S", -math.inf)
    fleet.age()
    fleet.age()
    assert engine.fleets == [MODELS, UNLEVELLED]


def test_the_real_engine_reads_it_or_says_why_not() -> None:
    """The border: a good document passes, a bad one raises with the model's name."""
    config = {
        "data": {"address": "127.0.0.1:0"},
        "admin": {"address": "127.0.0.1:0", "debugAddress": "127.0.0.1:0"},
    }
    engine = Engine(json.dumps(config).encode())
    engine.fleet(json.dumps(MODELS).encode())
    assert json.loads(engine.state())["endpoints"] == {}
    with pytest.raises(EngineError, match=r"main/llama: .*level 9"):
        engine.fleet(json.dumps(MODELS).replace('"level": 3', '"level": 9').encode())
