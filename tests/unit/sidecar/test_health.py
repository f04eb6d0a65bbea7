"""What others find down reaches the engine, holds while its hub is there, and is no other hub's."""

from __future__ import annotations

import pytest

from pointsman_sidecar import limits
from pointsman_sidecar.health import Health
from support.border import RecordingEngine

DOWN = {"main/a": {"id": 7, "class": "Connect", "for_ms": 1200}}


def event(down: object) -> dict[str, object]:
    """As the hub streams it."""
    return {"event": "health", "rev": 3, "down": down}


def test_what_is_down_is_said_again_only_while_the_stream_that_said_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine forgets by itself, so a living hub's word is repeated and a dead one's is not."""
    engine = RecordingEngine()
    health = Health(engine)
    assert health.offer(event(DOWN))
    health.heard_hub()
    assert engine.hearsays == [DOWN], "not with every ping"
    monkeypatch.setattr(limits, "HEALTH_AGAIN_S", 0)
    health.heard_hub()
    assert engine.hearsays == [DOWN, DOWN]
    health.begin_stream()
    health.heard_hub()
    assert engine.hearsays == [DOWN, DOWN]


def test_the_end_of_an_outage_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is down any more: that needs no repeating."""
    monkeypatch.setattr(limits, "HEALTH_AGAIN_S", 0)
    engine = RecordingEngine()
    health = Health(engine)
    assert health.offer(event(DOWN))
    assert health.offer(event({}))
    health.heard_hub()
    assert engine.hearsays == [DOWN, {}]


@pytest.mark.parametrize("down", [None, [], "main/a"])
def test_what_is_no_such_document_is_refused_whole(down: object) -> None:
    """What was said before stays."""
    engine = RecordingEngine()
    health = Health(engine)
    health.offer(event(DOWN))
    assert not health.offer(event(down))
    assert engine.hearsays == [DOWN]
