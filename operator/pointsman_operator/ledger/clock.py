"""The ledger's time: one injected clock that never goes backwards."""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """What the ledger asks for the time."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...


class SystemClock:
    """The host's wall clock."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000


class LedgerClock:
    """A clock that holds still instead of going back; the store keeps its mark over restarts."""

    def __init__(self, source: Clock, mark_ms: int = 0) -> None:
        self._source = source
        self._mark_ms = mark_ms

    def now_ms(self) -> int:
        """Unix time in milliseconds, never less than a value returned or restored before."""
        self._mark_ms = max(self._mark_ms, self._source.now_ms())
        return self._mark_ms

    def restore(self, mark_ms: int) -> None:
        """Never return less than this stored mark."""
        self._mark_ms = max(self._mark_ms, mark_ms)


def moment(time_ms: int) -> dt.datetime:
    """Unix milliseconds as an aware datetime."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)


def milliseconds(instant: dt.datetime) -> int:
    """An aware datetime of whole seconds as Unix milliseconds."""
    return int(instant.timestamp()) * 1000
