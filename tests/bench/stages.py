"""Where the sidecar's own time goes under load: the stages in the decisions that reached the hub.

The engine keeps the first 50 successes of each second, the supervisor drains them, the hub stores
them: that they are there at all shows that records were drained while core 0 was busy. They hold
whole microseconds; both ends of a stage are cut off alike, so the mean over many calls is right
to a fraction of one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.load import Run
from bench.machine import BenchError

RECORDS_PER_S_MIN = 20
"""Fewer in the store means that records were not drained: everything was not on. One second of a
window is not asked for: the 50 of its first may have come before it."""
_NOT_OURS = {"upstream", "total"}
_TRIMMED_SHARE = 0.1
"""On each side: a call that was interrupted says nothing about its stages."""


def stage_means_us(database: Path, runs: Sequence[Run]) -> dict[str, list[float]]:
    """Trimmed mean of each stage in each run's window, in microseconds."""
    means: dict[str, list[float]] = {}
    for one in runs:
        stages = [record["stage_us"] for record in _records(database, one)]
        if len(stages) < RECORDS_PER_S_MIN * (one.seconds - 1):
            raise BenchError(f"{len(stages)} decisions of {one.seconds:.0f} s reached the hub")
        names = {name for stage in stages for name in stage} - _NOT_OURS
        for name in sorted(names):
            means.setdefault(name, []).append(trimmed_mean([stage[name] for stage in stages]))
    return means


def trimmed_mean(values: Sequence[int]) -> float:
    """The mean without the outermost values of both sides."""
    cut = int(len(values) * _TRIMMED_SHARE)
    return fmean(sorted(values)[cut : len(values) - cut])


def _records(database: Path, one: Run) -> list[dict[str, Any]]:
    """Successful decisions of a run's window."""
    query = "SELECT body FROM records WHERE time_ms >= ? AND time_ms < ?"
    begin_ms = int(one.began_s * 1000)
    window = (begin_ms, begin_ms + int(one.seconds * 1000))
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        found = [json.loads(body) for (body,) in store.execute(query, window)]
    return [record for record in found if record["outcome"] == "ok"]
