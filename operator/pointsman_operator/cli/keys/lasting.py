"""Times on the command line: a moment, or a span ahead."""

from __future__ import annotations

import datetime as dt
import re

SPAN = re.compile(r"([1-9]\d{0,5})([mhdw])")
UNITS = {
    "m": dt.timedelta(minutes=1),
    "h": dt.timedelta(hours=1),
    "d": dt.timedelta(days=1),
    "w": dt.timedelta(weeks=1),
}
HELP = "a span (30m, 24h, 90d, 12w) or a moment with offset (2027-01-01T00:00:00Z)"


def moment(text: str, now: dt.datetime) -> dt.datetime:
    """That moment in UTC, to the second; raises `ValueError` with what would be right."""
    span = SPAN.fullmatch(text)
    if span is not None:
        return (now + int(span[1]) * UNITS[span[2]]).replace(microsecond=0)
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"{text!r} is neither {HELP}")
    if found <= now:
        raise ValueError(f"{text} is past")
    return found.astimezone(dt.UTC).replace(microsecond=0)


def ahead(until: dt.datetime, now: dt.datetime) -> str:
    """How long until then, in its largest unit."""
    left = until - now
    for unit in ("d", "h", "m"):
        if left >= UNITS[unit]:
            return f"{left // UNITS[unit]}{unit}"
    return f"{max(0, int(left.total_seconds()))}s"
