"""In which order `make test` runs its long stages."""

from __future__ import annotations

import importlib
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CI = Path(__file__).resolve().parents[3] / ".ci"


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stage runner, as its own folder's programs find each other."""
    monkeypatch.syspath_prepend(CI)
    return importlib.import_module("stages")


def test_a_lane_runs_its_own_stages_and_then_takes(stages: ModuleType) -> None:
    """From the end that it is given: two lanes meet, and neither waits while there is work."""
    names = ("one", "two", "three")
    first, last = quick(stages, *names), quick(stages, *names)
    assert ran(stages, stages.lane([], first.popleft)) == ["one", "two", "three"]
    own = list(quick(stages, "node"))
    assert ran(stages, stages.lane(own, last.pop)) == ["node", "three", "two", "one"]


def test_two_lanes_run_each_stage_once(stages: ModuleType) -> None:
    """Whoever comes first takes it; a failure stops nothing."""
    names = [f"s{number}" for number in range(8)]
    shared = quick(stages, *names)
    shared.append(stages.Stage("bad", "fails", (sys.executable, "-c", "raise SystemExit(3)")))
    with ThreadPoolExecutor(2) as pool:
        node = pool.submit(stages.lane, list(quick(stages, "node")), shared.pop)
        outcomes = stages.lane([], shared.popleft) + node.result()
    assert sorted(ran(stages, outcomes)) == sorted([*names, "node", "bad"])
    assert {it.stage.name: it.status for it in outcomes}["bad"] == 3


def test_what_only_computes_gives_way_to_what_is_timed(stages: ModuleType) -> None:
    """The checks of `make verify` run beside the node in `make test`, at a lower priority."""
    says = "import os; print(os.nice(0))"
    stage = stages.Stage("one", "says how nice it is", (sys.executable, "-c", says))
    kind, usual = stages.run_beside(stages.kindly(stage)), stages.run_beside(stage)
    assert int(kind.output) > int(usual.output)


def quick(stages: ModuleType, *names: str) -> deque[Any]:
    """Stages that do nothing, well."""
    return deque(stages.Stage(name, "nothing", (sys.executable, "-c", "")) for name in names)


def ran(stages: ModuleType, outcomes: list[Any]) -> list[str]:
    """The names, in the order in which they ended."""
    assert all(isinstance(it, stages.Outcome) for it in outcomes)
    return [it.stage.name for it in outcomes]
