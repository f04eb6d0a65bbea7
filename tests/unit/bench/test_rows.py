"""What the bench prints, refuses and promises."""

from __future__ import annotations

import json
import sqlite3
from array import array
from contextlib import closing
from pathlib import Path

import pytest

from bench import report
from bench.cases import cases
from bench.load import Run
from bench.machine import BenchError, Usage
from bench.measure import Results, check_baseline
from bench.rows import Row, rows
from bench.stages import trimmed_mean
from bench.subject import Subject
from bench.targets import Target
from pointsman_operator.cli.hub_client import HubClient

KEYS = ["name", "unit", "value", "low", "high", "baseline", "ratio", "method"]


def _run(us: int, *, cpu_s: float = 0.98, busy_s: float = 0.99) -> Run:
    """A run of a second whose latencies are all `us`."""
    return Run(
        samples_ns=array("Q", [us * 1000] * 1000),
        rps=1000.0,
        chunks=5000,
        began_s=1000.0,
        seconds=1.0,
        backlog=0,
        used=Usage(cpu_s, busy_s, 0.0, 1.0),
        rss_mib=40.0,
    )


def _results() -> Results:
    results = Results()
    for case in ("latency_1kb", "throughput", "first_token", "streams"):
        for target, us in (("direct", 20), ("nginx", 100), ("hyper", 120), ("sidecar", 150)):
            cpu_s = 0.98 if target == "hyper" else 0.96
            results.runs[case, target] = [_run(us, cpu_s=cpu_s) for _ in range(5)]
    return results


def test_a_whole_plan_makes_every_row() -> None:
    """Rows that compare two cases find as many windows of each, however often they alternate."""
    results = Results()
    for case in cases():
        for target in case.targets:
            results.runs[case.name, target] = [_run(100) for _ in range(2 * case.turns)]
    names = {row.name for row in rows(results, None)}
    assert {"added_p50_us", "tls_h2_added_p50_us", "translation_added_p50_us"} <= names


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A sidecar whose decisions are in a hub's store: 30 in the run's second, 30 after it."""
    database = tmp_path / "hub.db"
    with closing(sqlite3.connect(database)) as store:
        store.execute("CREATE TABLE records (id TEXT, time_ms INTEGER, body TEXT)")
        for number in range(60):
            stages = {"scan": number % 2 if number < 30 else 900, "upstream": 500, "total": 501}
            body = json.dumps({"outcome": "ok", "stage_us": stages})
            values = (str(number), 1_000_000 + number * 1000 // 30, body)
            store.execute("INSERT INTO records VALUES (?, ?, ?)", values)
        store.commit()
    (tmp_path / "token").write_text("t")
    hub = HubClient("http://127.0.0.1:1", tmp_path / "token")
    return Subject(Target("sidecar", "127.0.0.1:1", (1,)), 42.0, hub, database)


def test_added_latency_is_less_the_origin_and_beside_hyper(subject: Subject) -> None:
    """`added` is the difference to the origin; baseline and ratio are the hyper proxy's."""
    by_name = {row.name: row for row in rows(_results(), subject)}
    added = by_name["added_p50_us"]
    assert (added.value, added.baseline, added.ratio) == (130, 100, 1.3)
    assert by_name["hyper_added_p50_us"].baseline is None
    assert by_name["rss_idle_mib"].value == 42
    assert by_name["cpu_us_per_request"].value == 960
    assert by_name["stage_scan_us"].value == 0.5
    assert "stage_upstream_us" not in by_name


def test_records_that_were_not_drained_fail_the_bench(subject: Subject) -> None:
    """Too few decisions in the hub's store: not everything was on."""
    results = _results()
    first = results.runs["throughput", "sidecar"][0]
    object.__setattr__(first, "began_s", 1001.5)
    object.__setattr__(first, "seconds", 3.0)
    with pytest.raises(BenchError, match="15 decisions"):
        rows(results, subject)


def test_requests_of_all_cases_have_to_be_booked() -> None:
    """What the ledger is asked for is every request that the sidecar answered."""
    assert _results().requests("sidecar") == 4 * 5 * 1000


def test_interrupted_calls_do_not_move_a_stage() -> None:
    """The outermost tenth of each side is left out of a stage's mean."""
    assert trimmed_mean([1, 2] * 9 + [0, 90_000]) == 1.5


def test_json_has_the_agreed_members(tmp_path: Path, subject: Subject) -> None:
    """build/bench.json is a list of objects with exactly the agreed members and names."""
    path = tmp_path / "build" / "bench.json"
    found = rows(_results(), subject)
    report.write_json(found, path)
    written = json.loads(path.read_text())
    assert all(list(row) == KEYS for row in written)
    names = {row["name"] for row in written}
    wanted = "added_p50_us added_p99_us hyper_added_p50_us throughput_rps_c64 cpu_us_per_request"
    wanted += " cpu_ratio_to_hyper rss_idle_mib rss_loaded_mib ttft_added_us cpu_us_per_chunk"
    assert set(wanted.split()) <= names
    assert "added_p50_us" in report.table(found)


def test_throughput_rows_count_only_when_the_target_was_the_limit() -> None:
    """A core that idles, or that works for others, gives no throughput row."""
    for run in (_run(150, cpu_s=0.9, busy_s=0.9), _run(150, cpu_s=0.5, busy_s=1.0)):
        results = _results()
        results.runs["throughput", "sidecar"] = [run] * 5
        assert "throughput_rps_c64" not in {row.name for row in rows(results, None)}


def test_a_baseline_that_is_none_fails_the_bench() -> None:
    """The hyper row has to be bound by its core, and to reach 80 % of nginx."""
    check_baseline(_results())
    idle = _results()
    idle.runs["throughput", "hyper"][2] = _run(120, cpu_s=0.9, busy_s=0.9)
    with pytest.raises(BenchError, match="not bound by core 0"):
        check_baseline(idle)
    slow = _results()
    for one in slow.runs["throughput", "nginx"]:
        object.__setattr__(one, "rps", 1300.0)
    with pytest.raises(BenchError, match="77% of nginx"):
        check_baseline(slow)


def test_figures_hold_or_are_missed_and_never_skipped() -> None:
    """A figure whose row was not measured is missed."""
    lines, hold = report.judge([])
    assert not hold
    assert all("not measured" in line for line in lines)
    good = Row("added_p50_us", "us", 139, 138, 141, 100, 1.39, "m")
    late = Row("added_p50_us", "us", 141, 140, 142, 100, 1.41, "m")
    for row, word in ((good, "holds"), (late, "MISSED")):
        lines, _ = report.judge([row])
        assert lines[0].startswith(word)
