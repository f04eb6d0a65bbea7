"""Moments in the hub's API: RFC 3339 out, a moment or a span back in."""

from __future__ import annotations

import datetime as dt
import re

from pointsman_operator.hub.errors import HubError

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SINCE_HELP = "since: a moment with offset (2026-11-22T10:00:00Z) or a span (90s 15m 24h 7d)"


def since_moment(since: str, now_ms: int) -> int:
    """Unix milliseconds; empty means always. Raises `HubError`."""
    if not since:
        return 0
    span = re.fullmatch(r"(\d{1,6})([smhd])", since)
    if span:
        return now_ms - int(span[1]) * UNITS_MS[span[2]]
    try:
        moment = dt.datetime.fromisoformat(since)
    except ValueError as error:
        raise HubError(400, "bad_since", SINCE_HELP) from error
    if moment.tzinfo is None:
        raise HubError(400, "bad_since", SINCE_HELP)
    return int(moment.timestamp() * 1000)


def rfc3339(time_ms: int) -> str:
    """That moment in UTC, to the millisecond."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")
