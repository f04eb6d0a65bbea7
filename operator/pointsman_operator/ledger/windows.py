"""Calendar windows of a limit: which one an instant lies in, and what it is called.

Called by `accounts` and `books` with the ledger's clock; a new window is a new counter key, so
resetting a limit is nothing more than asking for another key. Zone rules come from the pinned
`tzdata` package.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pointsman_operator.ledger import limits

_SECOND = dt.timedelta(seconds=1)


class Calendar(StrEnum):
    """The lengths a calendar window may have."""

    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"
    QUARTER = "Quarter"
    YEAR = "Year"


@dataclass(frozen=True, slots=True)
class Window:
    """One window: `start` <= instant < `end`, both with the zone's offset at that moment."""

    key: str
    start: dt.datetime
    end: dt.datetime

    def holds(self, instant: dt.datetime) -> bool:
        """Whether the instant lies in this window."""
        return self.start <= instant < self.end


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A repeating calendar window in an IANA time zone."""

    calendar: Calendar
    time_zone: str

    def at(self, instant: dt.datetime) -> Window:
        """The window that holds `instant`; raises `ValueError` for a naive one."""
        if instant.tzinfo is None:
            raise ValueError("an instant needs an offset")
        return _window(self, int(instant.timestamp()))

    def after(self, window: Window) -> Window:
        """The window that begins where `window` ends."""
        return self.at(window.end)

    def before(self, window: Window) -> Window:
        """The window that ends where `window` begins."""
        return self.at(window.start - _SECOND)


@lru_cache(maxsize=limits.ZONES_CACHED)
def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of that IANA name; raises `ValueError` when there is none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone is called {name!r}") from error


def use_pinned_zones() -> None:
    """Make `zoneinfo` read the `tzdata` package only, never the host's files; at a start."""
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    zone.cache_clear()
    _window.cache_clear()


@lru_cache(maxsize=limits.WINDOWS_CACHED)
def _window(spec: WindowSpec, second: int) -> Window:
    local = dt.datetime.fromtimestamp(second, zone(spec.time_zone))
    if spec.calendar is Calendar.HOUR:
        return _hour(local)
    first, following, name = _DATES[spec.calendar](local.date())
    start, end = _midnight(first, local.tzinfo), _midnight(following, local.tzinfo)
    return Window(name + _offset(start), start, end)


def _hour(local: dt.datetime) -> Window:
    """The wall-clock hour, cut where the offset changes in it (Lord Howe moves by half an hour)."""
    into_hour = dt.timedelta(minutes=local.minute, seconds=local.second)
    start = _moved(local, -into_hour)
    if start.utcoffset() != local.utcoffset():
        start = _transition(start, local)
    end = _moved(local, dt.timedelta(hours=1) - into_hour)
    last = _moved(end, -_SECOND)
    if last.utcoffset() != local.utcoffset():
        end = _transition(local, last)
    name = local.replace(minute=0, second=0).strftime("%Y-%m-%dT%H")
    return Window(name + _offset(start), start, end)


def _moved(local: dt.datetime, by: dt.timedelta) -> dt.datetime:
    """`local` moved in elapsed time (plain addition would move the wall clock)."""
    return (local.astimezone(dt.UTC) + by).astimezone(local.tzinfo)


def _transition(before: dt.datetime, after: dt.datetime) -> dt.datetime:
    """The first second between the two that has the offset of `after`."""
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        at_middle = dt.datetime.fromtimestamp(middle, after.tzinfo)
        if at_middle.utcoffset() == after.utcoffset():
            high = middle
        else:
            low = middle
    return dt.datetime.fromtimestamp(high, after.tzinfo)


def _midnight(day: dt.date, tzinfo: dt.tzinfo | None) -> dt.datetime:
    """The first moment of a local day, also where midnight itself is skipped or comes twice."""
    # fold=0 takes the first of two midnights; in a gap it counts with the offset before the change,
    # and the way through UTC turns that into the moment of the change.
    wall = dt.datetime.combine(day, dt.time(), tzinfo)
    return wall.astimezone(dt.UTC).astimezone(tzinfo)


def _day(day: dt.date) -> tuple[dt.date, dt.date, str]:
    return day, day + dt.timedelta(days=1), day.isoformat()


def _week(day: dt.date) -> tuple[dt.date, dt.date, str]:
    first = day - dt.timedelta(days=day.weekday())
    year, week, _ = day.isocalendar()
    return first, first + dt.timedelta(days=7), f"{year}-W{week:02}"


def _month(day: dt.date) -> tuple[dt.date, dt.date, str]:
    first = day.replace(day=1)
    return first, _months_later(first, 1), f"{day.year}-{day.month:02}"


def _quarter(day: dt.date) -> tuple[dt.date, dt.date, str]:
    quarter = (day.month - 1) // 3
    first = day.replace(month=3 * quarter + 1, day=1)
    return first, _months_later(first, 3), f"{day.year}-Q{quarter + 1}"


def _year(day: dt.date) -> tuple[dt.date, dt.date, str]:
    first = day.replace(month=1, day=1)
    return first, _months_later(first, 12), f"{day.year}"


def _months_later(first: dt.date, months: int) -> dt.date:
    month = first.month - 1 + months
    return first.replace(year=first.year + month // 12, month=month % 12 + 1)


def _offset(moment: dt.datetime) -> str:
    return moment.isoformat()[19:]


_DATES: dict[Calendar, Callable[[dt.date], tuple[dt.date, dt.date, str]]] = {
    Calendar.DAY: _day,
    Calendar.WEEK: _week,
    Calendar.MONTH: _month,
    Calendar.QUARTER: _quarter,
    Calendar.YEAR: _year,
}
