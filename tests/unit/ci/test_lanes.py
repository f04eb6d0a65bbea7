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


def test_a_lane_with_stages_of_its_own_takes_from_the_far_end(stages: ModuleType) -> None:
    """So that lanes meet, and none waits while there is work."""
    names = ("one", "two", "three")
    assert ran(stages, stages.lane([], quick(stages, *names))) == ["one", "two", "three"]
    own = list(quick(stages, "node"))
    assert ran(stages, stages.lane(own, quick(stages, *names))) == ["node", "three", "two", "one"]


def test_lanes_run_each_stage_once(stages: ModuleType) -> None:
    """Whoever comes first takes it; a failure stops nothing."""
    names = [f"s{number}" for number in range(8)]
    shared = quick(stages, *names)
    shared.append(stages.Stage("bad", "fails", (sys.executable, "-c", "raise SystemExit(3)")))
    with ThreadPoolExecutor(2) as pool:
        node = pool.submit(stages.lane, list(quick(stages, "node")), shared)
        outcomes = stages.lane([], shared) + node.result()
    assert sorted(ran(stages, outcomes)) == sorted([*names, "node", "bad"])
    assert {it.stage.name: it.status for it in outcomes}["bad"] == 3


def quick(stages: ModuleType, *names: str) -> deque[Any]:
    """Stages that do nothing, well."""
    return deque(stages.Stage(name, "nothing", (sys.executable, "-c", "")) for name in names)


def ran(stages: ModuleType, outcomes: list[Any]) -> list[str]:
    """The names, in the order in which they ended."""
    assert all(isinstance(it, stages.Outcome) for it in outcomes)
    return [it.stage.name for it in outcomes]
