"""The hub's periodic work."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from pointsman_operator.hub import limits
from pointsman_operator.hub.health import Health
from pointsman_operator.hub.state import opened
from pointsman_operator.ledger.clock import SystemClock
from support.ledger_world import sqlite_at


async def test_a_duty_that_ends_by_itself_is_told_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the hub ends, where nobody would look."""
    judged = asyncio.Event()

    def broken(health: Health) -> bool:
        judged.set()
        raise ZeroDivisionError(f"a defect of {type(health).__name__}")

    monkeypatch.setattr(limits, "JUDGED_EVERY_S", 0.001)
    monkeypatch.setattr(Health, "judge", broken)
    with caplog.at_level(logging.ERROR):
        async with opened(sqlite_at(tmp_path / "l"), SystemClock(), print, restored=False):
            await asyncio.wait_for(judged.wait(), 10)
            await asyncio.sleep(0.1)
            assert "a defect of Health" in caplog.text
