"""Calendar windows: names, both days on which clocks change, and that windows tile the time."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.ledger.windows import Calendar, Window, WindowSpec, use_pinned_zones, zone

ZONES = sorted(zoneinfo.available_timezones())
ODD_ZONES = [
    "Australia/Lord_Howe",  # moves by half an hour
    "America/Havana",  # midnight comes twice
    "Africa/Cairo",  # midnight is skipped
    "Pacific/Apia",  # a whole day is skipped
    "Asia/Kathmandu",
    "Europe/Berlin",
]
NAMES: dict[str, tuple[Calendar, str, str, str, str]] = {
    "an hour": (
        Calendar.HOUR,
        "2026-11-22T13:59:59+01:00",
        "2026-11-22T13+01:00",
        "13:00",
        "14:00",
    ),
    "a day": (Calendar.DAY, "2026-11-22T13:00+01:00", "2026-11-22+01:00", "00:00", "00:00"),
    "a week": (Calendar.WEEK, "2027-01-02T13:00+01:00", "2026-W53+01:00", "00:00", "00:00"),
    "a month": (Calendar.MONTH, "2026-12-31T23:59+01:00", "2026-12+01:00", "00:00", "00:00"),
    "a quarter": (Calendar.QUARTER, "2026-11-22T13:00+01:00", "2026-Q4+02:00", "00:00", "00:00"),
    "a year": (Calendar.YEAR, "2026-11-22T13:00+01:00", "2026+01:00", "00:00", "00:00"),
}


def at(calendar: Calendar, instant: str, name: str = "Europe/Berlin") -> Window:
    """The window of an instant."""
    return WindowSpec(calendar, name).at(dt.datetime.fromisoformat(instant))


@pytest.mark.parametrize(
    ("calendar", "instant", "key", "start", "end"), NAMES.values(), ids=NAMES.keys()
)
def test_a_window_is_called_by_its_start(
    calendar: Calendar, instant: str, key: str, start: str, end: str
) -> None:
    """The key names the calendar unit and the offset at its start."""
    window = at(calendar, instant)
    assert (window.key, f"{window.start:%H:%M}", f"{window.end:%H:%M}") == (key, start, end)


def test_the_day_on_which_clocks_go_back_has_25_hours() -> None:
    """One counter for the whole long day, whose offset changes inside."""
    early = at(Calendar.DAY, "2026-10-25T02:30+02:00")
    late = at(Calendar.DAY, "2026-10-25T02:30+01:00")
    assert early == late
    assert early.key == "2026-10-25+02:00"
    assert early.end.timestamp() - early.start.timestamp() == 25 * 3600


def test_the_day_on_which_clocks_go_forward_has_23_hours() -> None:
    """The short day ends at its own midnight."""
    window = at(Calendar.DAY, "2026-03-29T12:00+02:00")
    assert window.end.timestamp() - window.start.timestamp() == 23 * 3600
    assert window.end.isoformat() == "2026-03-30T00:00:00+02:00"


def test_the_doubled_hour_is_two_windows() -> None:
    """02:30 comes twice; the offset in the key tells the two apart."""
    first = at(Calendar.HOUR, "2026-10-25T02:30+02:00")
    second = at(Calendar.HOUR, "2026-10-25T02:30+01:00")
    assert (first.key, second.key) == ("2026-10-25T02+02:00", "2026-10-25T02+01:00")
    assert first.end == second.start


def test_a_half_hour_change_cuts_the_hour() -> None:
    """Lord Howe goes back by thirty minutes at two: the repeated half is a window of its own."""
    spec = WindowSpec(Calendar.HOUR, "Australia/Lord_Howe")
    before = spec.at(dt.datetime.fromisoformat("2026-04-05T01:45+11:00"))
    repeated = spec.at(dt.datetime.fromisoformat("2026-04-05T01:45+10:30"))
    assert before.end == repeated.start
    assert repeated.end.timestamp() - repeated.start.timestamp() == 1800
    assert before.key != repeated.key


def test_a_change_within_an_hour_ends_that_hour() -> None:
    """Newfoundland used to go back at one past midnight: a window of one minute."""
    minute = at(Calendar.HOUR, "2010-11-07T00:00:30-02:30", "America/St_Johns")
    assert minute.end.timestamp() - minute.start.timestamp() == 60
    assert minute.end.isoformat() == "2010-11-06T23:01:00-03:30"


def test_a_skipped_midnight_begins_where_the_clock_lands() -> None:
    """In Cairo the last Friday of April begins at one."""
    window = at(Calendar.DAY, "2026-04-24T12:00+03:00", "Africa/Cairo")
    assert window.start.isoformat() == "2026-04-24T01:00:00+03:00"


@given(
    calendar=st.sampled_from(list(Calendar)),
    name=st.sampled_from(ODD_ZONES) | st.sampled_from(ZONES),
    second=st.integers(1_230_768_000, 2_524_608_000),
)
def test_windows_tile_the_time(calendar: Calendar, name: str, second: int) -> None:
    """Each instant lies in exactly one window, neighbours touch, and keys differ."""
    spec, instant = WindowSpec(calendar, name), dt.datetime.fromtimestamp(second, dt.UTC)
    window = spec.at(instant)
    assert window.holds(instant)
    following, previous = spec.after(window), spec.before(window)
    assert following.start.timestamp() == window.end.timestamp()
    assert previous.end.timestamp() == window.start.timestamp()
    assert len({window.key, following.key, previous.key}) == 3
    assert spec.at(window.start) == window


def test_an_unknown_zone_is_refused() -> None:
    """A wrong name, and a name that leaves the zone folder, say so."""
    with pytest.raises(ValueError, match="no time zone is called 'Europe/Berln'"):
        zone("Europe/Berln")
    with pytest.raises(ValueError, match="no time zone"):
        zone("../../etc/passwd")


def test_a_naive_instant_is_refused() -> None:
    """Without an offset an instant has no window."""
    with pytest.raises(ValueError, match="needs an offset"):
        WindowSpec(Calendar.DAY, "UTC").at(dt.datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_pinned_zones_need_no_host_files() -> None:
    """With the host's zone files out of reach every zone still loads."""
    before = zoneinfo.TZPATH
    try:
        use_pinned_zones()
        assert zoneinfo.TZPATH == ()
        assert at(Calendar.DAY, "2026-10-25T12:00+01:00").key == "2026-10-25+02:00"
    finally:
        zoneinfo.reset_tzpath(before)
