"""The hub as it is, on a clock that runs beside the real one: `python moved_hub.py FILE …`.

The file holds the offset in milliseconds. All but the clock is the product's own, so that a
window's end can be a few seconds away.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pointsman_operator.hub.__main__ import callers_of
from pointsman_operator.hub.app import create_app
from pointsman_operator.hub.serving import HubServer
from pointsman_operator.hub.settings import read_settings
from pointsman_operator.ledger.windows import use_pinned_zones


class MovedClock:
    """The host's clock, moved by what the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now_ms(self) -> int:
        """Unix time in milliseconds, as the hub shall believe it."""
        return time.time_ns() // 1_000_000 + int(self._path.read_text())


if __name__ == "__main__":
    settings = read_settings(sys.argv[2:], os.environ)
    use_pinned_zones()
    clock = MovedClock(Path(sys.argv[1]))
    HubServer(create_app(settings.store, callers_of(settings), clock), settings).run()
