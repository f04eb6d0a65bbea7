"""What the bench says: a table with the method of every row, build/bench.json, and the figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.rows import Row

HYPER_RPS = 37_000
"""What the hyper proxy holds on the machine that the figures were set on."""
WANTED_RPS = 12_000


@dataclass(frozen=True)
class Figure:
    """A promise about a row."""

    row: str
    text: str
    holds: Callable[[Row, dict[str, Row]], bool]


def _above_hyper(limit_us: float) -> Callable[[Row, dict[str, Row]], bool]:
    return lambda row, _: row.baseline is not None and row.value <= row.baseline + limit_us


def _at_most(limit: float) -> Callable[[Row, dict[str, Row]], bool]:
    return lambda row, _: row.value <= limit


def _ratio_at_most(limit: float) -> Callable[[Row, dict[str, Row]], bool]:
    return lambda row, _: row.ratio is not None and row.ratio <= limit


def _enough_throughput(row: Row, _: dict[str, Row]) -> bool:
    return row.ratio is not None and row.ratio >= WANTED_RPS / HYPER_RPS


FIGURES = (
    Figure("added_p50_us", "<= the hyper proxy's + 40 us", _above_hyper(40)),
    Figure("added_p99_us", "<= the hyper proxy's + 200 us", _above_hyper(200)),
    Figure("added_p50_us_200kb", "<= the hyper proxy's + 200 us", _above_hyper(200)),
    Figure("cpu_ratio_to_hyper", "<= 2.5", _at_most(2.5)),
    Figure(
        "throughput_rps_c64",
        f">= {WANTED_RPS / HYPER_RPS:.2f} x hyper's ({WANTED_RPS:,} where that is {HYPER_RPS:,})",
        _enough_throughput,
    ),
    Figure("ttft_added_us", "<= the hyper proxy's + 100 us", _above_hyper(100)),
    Figure("cpu_us_per_chunk", "<= 1.3 x the hyper proxy's", _ratio_at_most(1.3)),
    Figure("stage_scan_us", "<= 4 us, twice its budget", _at_most(4)),
    Figure("stage_choose_us", "<= 24 us, twice its budget", _at_most(24)),
    Figure("stage_budget_us", "<= 2 us, twice its budget", _at_most(2)),
    Figure("translation_added_p50_us", "<= 60 us", _at_most(60)),
    Figure("rss_idle_mib", "<= 48 MiB", _at_most(48)),
    Figure("rss_loaded_mib", "<= 200 MiB", _at_most(200)),
)


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Write the list of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def table(rows: Sequence[Row]) -> str:
    """All rows for people."""
    lines = [f"{'':32}{'value':>12}{'95 % interval':>25}  {'unit':<11}{'hyper':>11}{'ratio':>7}"]
    for row in rows:
        interval = f"{_number(row.low)} .. {_number(row.high)}"
        baseline = "" if row.baseline is None else _number(row.baseline)
        share = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(
            f"{row.name:<32}{_number(row.value):>12}{interval:>25}  {row.unit:<11}"
            f"{baseline:>11}{share:>7}"
        )
        lines.append(f"    {row.method}")
    return "\n".join(lines)


def judge(rows: Sequence[Row]) -> tuple[list[str], bool]:
    """One line a figure, and whether all hold; a figure without its row does not."""
    by_name = {row.name: row for row in rows}
    lines, all_hold = [], True
    for figure in FIGURES:
        row = by_name.get(figure.row)
        holds = row is not None and figure.holds(row, by_name)
        all_hold = all_hold and holds
        value = "not measured" if row is None else f"{_number(row.value)} {row.unit}"
        if row is not None and row.baseline is not None:
            value += f" (hyper {_number(row.baseline)})"
        lines.append(f"{'holds ' if holds else 'MISSED'}  {figure.row:<24}{value:<42}{figure.text}")
    return lines, all_hold


def _number(value: float) -> str:
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.2f}"
        if abs(value) < 10
        else f"{value:.1f}"
    )
