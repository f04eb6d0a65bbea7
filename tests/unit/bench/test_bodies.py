"""Request bodies and table of the bench."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bench.bodies import prompts, write_bodies
from bench.cases import cases
from bench.machine import family, rss_mib, usage


def test_bodies_have_their_size_and_a_question_each(tmp_path: Path) -> None:
    """At least 1,000 different last turns; 1 KB and 10 KB bodies of that size."""
    assert len(set(prompts())) >= 1000
    for size in (1024, 10 * 1024):
        write_bodies(tmp_path / "bodies", "auto", size, {"stream": True})
        lines = (tmp_path / "bodies").read_text().splitlines()
        documents = [json.loads(line) for line in lines]
        assert len({document["messages"][-1]["content"] for document in documents}) >= 1000
        assert all(document["stream"] for document in documents)
        within = [line for line in lines if abs(len(line.encode()) - size) <= 8]
        assert len(within) > 0.95 * len(lines)


def test_every_case_has_the_targets_that_its_rows_need() -> None:
    """Latency rows need the origin, throughput rows the hyper proxy; the peak comes first."""
    plan = cases()
    names = [case.name for case in plan]
    for case in plan:
        assert "sidecar" in case.targets
        if case.peak_share is not None:
            assert names.index(case.name) > names.index("throughput")
            assert {"direct", "hyper"} <= set(case.targets)
    assert max(case.connections for case in plan) == 2000


def test_the_kernel_counts_this_process() -> None:
    """CPU, memory and descendants of a process are read from /proc."""
    before = usage([os.getpid()])
    while usage([os.getpid()]).since(before).cpu_s < 0.05:
        pass
    after = usage([os.getpid()])
    assert after.core_total_s >= before.core_total_s
    assert rss_mib([os.getpid()]) > 1
    assert os.getpid() in family([os.getpid()])
    assert os.getpid() in family([os.getppid()])
