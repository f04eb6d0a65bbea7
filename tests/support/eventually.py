"""Waiting in tests: for a condition with a deadline, never for an amount of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOK_EVERY_S = 0.01


def eventually(
    condition: Callable[[], object],
    within_s: float = 10.0,
    told: Callable[[], object] = str,
) -> None:
    """Return as soon as the condition holds; fail, with what is told then, at the deadline."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not come true in time {told()}"
        pause.wait(LOOK_EVERY_S)
