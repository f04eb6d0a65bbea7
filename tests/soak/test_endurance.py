"""Faults for a million calls, and for two hours, leave nothing behind in a sidecar."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scale.rows import Row, table
from scale.watched import load
from soak.endurance import Held, begin, drive, settle
from support.money_world import money_world

FEW, MANY = 100_000, 1_000_000
BURST_S = 20
GROWTH_MIB = 2.0
HOURS, RATE, LOOK_S = 2.0, 200.0, 60
SPARE_FILES = 8
"""Connections to hub and provider that one look finds open and the next does not."""


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_a_million_calls_with_faults_leave_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory after a million is at most 2 MiB above that after a hundred thousand."""
    with money_world(tmp_path) as world:
        sidecar = begin(world)
        made, began = 0, time.monotonic()
        while made < FEW:
            made += drive(sidecar, BURST_S)
        first, first_at = Held.by(sidecar), made
        while made < MANY:
            made += drive(sidecar, BURST_S)
        last = Held.by(sidecar)
        took = time.monotonic() - began
        booked, bill = settle(world)
        _say(capsys, first, last, f"{first_at:,} and {made:,} calls in {took:.0f} s", booked, bill)
    _judge(first, last, booked, bill)


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_two_hours_at_two_hundred_a_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory, files and threads at the end are those after the first quarter."""
    with money_world(tmp_path) as world:
        sidecar = begin(world)
        looks, made, began = [], 0, time.monotonic()
        while time.monotonic() - began < HOURS * 3600:
            made += drive(sidecar, LOOK_S, RATE)
            looks.append(Held.by(sidecar))
        took = time.monotonic() - began
        first, last = looks[len(looks) // 4], looks[-1]
        booked, bill = settle(world)
        _say(capsys, first, last, f"{made:,} calls, {made / took:.0f}/s", booked, bill)
    assert made / took > 0.9 * RATE
    _judge(first, last, booked, bill)


def _judge(first: Held, last: Held, booked: int, bill: int) -> None:
    assert last.rss_mib - first.rss_mib <= GROWTH_MIB
    assert last.files <= first.files + SPARE_FILES
    assert last.threads == first.threads
    assert (first.reserved, last.reserved) == (0, 0)
    # What was cut is booked at what may have been billed, never below what was.
    assert booked >= bill > 0


def _say(
    capsys: pytest.CaptureFixture[str], first: Held, last: Held, what: str, booked: int, bill: int
) -> None:
    told = f"{what}; load {load()}"
    rows = [
        Row("soak", "growth", last.rss_mib - first.rss_mib, "MiB", told, at_most=GROWTH_MIB),
        Row("soak", "rss", last.rss_mib, "MiB", f"{first.rss_mib:.1f} at the first look"),
        Row("soak", "files", last.files, "open", f"{first.files} at the first look"),
        Row("soak", "threads", last.threads, "threads", f"{first.threads} at the first look"),
        Row("soak", "reserved", last.reserved, "pico$", "no call in flight", 0, 0),
        Row("soak", "over_bill", 100 * (booked / bill - 1), "%", "booked beyond the bill"),
    ]
    with capsys.disabled():
        print("\n" + table(rows))  # noqa: T201 - the figures are what this run is for
