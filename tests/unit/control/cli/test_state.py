"""The state folder keeps secrets to its owner and tells other commands where things are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman_operator.cli.state import Running, State, StateBusyError

RUNNING = Running(1, "http://127.0.0.1:1/v1", "http://127.0.0.1:2", "demo/support", ("openai",))


def test_the_token_is_the_owners_alone(tmp_path: Path) -> None:
    """Mode 0600, made once, long enough not to be guessed."""
    state = State(tmp_path / "state")
    state.prepare()
    first = state.token_file.read_text()
    assert state.token_file.stat().st_mode & 0o777 == 0o600
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert len(first) >= 40
    state.prepare()
    assert state.token_file.read_text() == first


def test_what_simulators_are_shown_is_no_key(tmp_path: Path) -> None:
    """Some refuse a call without one, as their providers do; the file beside it is not touched."""
    state = State(tmp_path)
    state.prepare()
    assert (state.secrets / "pointsman-simulated" / "api-key").read_text() == "simulated"


def test_starts_are_counted_for_the_fence(tmp_path: Path) -> None:
    """Each start outranks the one before it in the same installation."""
    state = State(tmp_path)
    state.prepare()
    assert [state.next_start() for _ in range(3)] == [1, 2, 3]
    assert state.installation() == State(tmp_path).installation()


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    """The second is told so, and may start once the first has ended."""
    state = State(tmp_path)
    state.prepare()
    with state.lock(), pytest.raises(StateBusyError):
        state.lock()
    state.lock().close()


def test_other_commands_find_what_runs(tmp_path: Path) -> None:
    """Addresses are announced and withdrawn; rubbish counts as nothing."""
    state = State(tmp_path)
    assert state.running() is None
    state.announce(RUNNING)
    assert state.running() == RUNNING
    (tmp_path / "up.json").write_text("{")
    assert state.running() is None
    state.withdraw()
    assert not (tmp_path / "up.json").exists()
