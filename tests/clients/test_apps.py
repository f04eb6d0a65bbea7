"""An app that stands still costs one answer, not every one that follows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import clients
from support.clients import App, Client, SilentError

STANDS_STILL_ONCE = """
import faulthandler, json, pathlib, signal, sys, time
faulthandler.register(signal.SIGUSR1)
print(json.dumps(["plain"]), flush=True)
for line in sys.stdin:
    if not pathlib.Path(sys.argv[1]).exists():
        pathlib.Path(sys.argv[1]).touch()
        time.sleep(3600)
    print(json.dumps({"text": "here"}), flush=True)
"""


@dataclass(frozen=True)
class _Stuck(Client):
    marker: Path = Path()

    def command(self) -> list[str]:
        return [sys.executable, "-c", STANDS_STILL_ONCE, str(self.marker)]


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Stuck:
    """A client package that stands still once in its life."""
    monkeypatch.setattr(clients, "ANSWERS_WITHIN_S", 0.5)
    monkeypatch.setattr(clients, "STACKS_WITHIN_S", 0.5)
    return _Stuck("stuck", "none", "stuck.py", marker=tmp_path / "was-still")


def test_one_that_stands_still_tells_where_and_is_replaced(stuck: _Stuck, tmp_path: Path) -> None:
    """The question fails, the next one has a new process."""
    app = App(stuck, "http://router", tmp_path / "log")
    with pytest.raises(SilentError, match="line 8"):
        app.ask("plain", "m")
    assert app.ask("plain", "m") == {"text": "here"}
    app.end()
