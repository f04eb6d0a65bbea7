"""A sidecar before a simulator that plays every scene, for whichever Python asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.processes import Sidecar, ended
from support.scenes import CUTS, SCENES
from support.tables import model, route, table
from support.tree import ROOT
from support.upstreams import Upstream

SIDECAR_PYTHON = str(ROOT / ".venv" / "bin" / "python")
"""The engine is installed there; the tests themselves may run under another generation's SDK."""


@dataclass(frozen=True)
class World:
    """A sidecar and the simulator behind it."""

    upstream: Upstream
    sidecar: Sidecar

    @property
    def base_url(self) -> str:
        """The one thing that an app changes."""
        return f"{self.sidecar.url}/v1"

    def calls(self, name: str, outcome: str) -> int:
        """How many calls of a model ended so, from the sidecar's metrics."""
        labels = f'model="main/{name}",provider="sim-{name}",outcome="{outcome}"'
        return int(self.sidecar.metric(f"pointsman_requests_total{{{labels}}}"))


@contextmanager
def started(folder: Path, kind: Callable[[Path], Upstream]) -> Iterator[World]:
    """The pair of them, on a table with a model a scene and two rules."""
    upstream = kind(folder)
    try:
        sidecar = Sidecar(folder, scenic_table(upstream.url), python=SIDECAR_PYTHON)
        with ended(sidecar):
            yield World(upstream, sidecar)
    finally:
        upstream.kill()


def scenic_table(url: str) -> dict[str, Any]:
    """Every scene as a model of its own; `spare` falls back, `exhausted` cannot."""
    rules = [
        {"name": name, "when": {"models": [name]}, "route": route(*candidates)}
        for name, candidates in (
            ("spare", ("broken", "plain")),
            ("exhausted", ("failing", "failing-too")),
        )
    ]
    return table([model(scene.name, url) for scene in (*SCENES, *CUTS)], rules)
