"""Simulated providers: which ones a folder needs, and the processes that play them.

A provider is simulated where its key is missing; everything that shows it says *simulated*.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pointsman_operator.catalog.natives import NATIVES
from pointsman_operator.cli.local.children import (
    Child,
    StackError,
    wait_until,
    without_provider_keys,
)
from pointsman_operator.cli.state import State
from pointsman_operator.compile import Compiled
from pointsman_operator.compile.table import TableIdentity, TableModel, TableProvider

START_WITHIN_S = 10.0
PLAUSIBLE_PACE = {"firstTokenMs": 150, "tokensPerSecond": 120, "deltaTokens": 2}


@dataclass
class Simulator:
    """One provider, played by a process of its own with a bill of its own."""

    label: str
    folder: Path
    models: dict[str, TableModel]
    extra: Mapping[str, Any]
    child: Child = field(init=False)
    address: str = "127.0.0.1:0"

    def __post_init__(self) -> None:
        """Name the process; nothing is started yet."""
        self.child = Child(
            name=f"simulated provider {self.label}",
            arguments=(program(), "provider", "--config", str(self.folder / "config.json")),
            environment=without_provider_keys(os.environ),
            log=self.folder / "log",
        )

    @property
    def base_url(self) -> str:
        """What models of this provider get as their baseURL."""
        return f"http://{self.address}/v1"

    @property
    def bill(self) -> Path:
        """What this provider says it must be paid, in its own hand."""
        return self.folder / "bill.jsonl"

    def start(self) -> None:
        """Start it, on the address of its last start if it had one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        announce = self.folder / "address.json"
        announce.unlink(missing_ok=True)
        (self.folder / "config.json").write_text(json.dumps(self.config(announce)))
        self.child.start()
        wait_until(announce.exists, [self.child], f"{self.child.name}'s start", START_WITHIN_S)
        self.address = json.loads(announce.read_text())["address"]

    def behave(self, script: Sequence[Mapping[str, Any]]) -> None:
        """Replace its script while it runs; an empty one is a healthy provider."""
        address = f"http://{self.address}/_sim/behaviour"
        httpx.post(address, json=list(script), trust_env=False).raise_for_status()

    def config(self, announce: Path) -> dict[str, Any]:
        """The simulator's configuration (docs/contracts.md, section 7)."""
        return {
            "listen": self.address,
            "announce": str(announce),
            "bill": str(self.bill),
            "prices": {name: prices(model) for name, model in sorted(self.models.items())},
            "models": sorted(self.models),
            "pace": PLAUSIBLE_PACE,
            **self.extra,
        }


def without_key(compiled: Compiled, state: State, environment: Mapping[str, str]) -> list[str]:
    """Labels of the providers that want a key of which none is here; keys are not read."""
    wanted: dict[str, list[TableProvider]] = defaultdict(list)
    for table in compiled.tables.values():
        for model in table.table.models:
            if model.provider.credential is not None:
                wanted[model.provider.label].append(model.provider)
    return sorted(
        label
        for label, providers in wanted.items()
        if not any(present(provider, state, environment) for provider in providers)
    )


def present(provider: TableProvider, state: State, environment: Mapping[str, str]) -> bool:
    """Whether the sidecar will find what this provider knows it by; nothing is read."""
    credential, native = provider.credential, NATIVES.get(provider.type)
    if isinstance(credential, TableIdentity):
        return native is not None and _given(native.workload, environment)
    if credential is None or (state.secrets / credential.secret / credential.key).is_file():
        return True
    if credential.env and environment.get(credential.env):
        return True
    if native is None:
        return False
    home = Path(environment["HOME"]) if native.file and environment.get("HOME") else None
    return _given(native.others, environment) or (
        home is not None and (home / native.file).is_file()
    )


def simulators(
    compiled: Compiled, labels: Iterable[str], state: State, extra: Mapping[str, Any]
) -> dict[str, Simulator]:
    """A simulator for each label, serving that provider's models at their prices."""
    chosen = {label: dict[str, TableModel]() for label in labels}
    for table in compiled.tables.values():
        for model in table.table.models:
            if model.provider.label in chosen:
                chosen[model.provider.label][model.provider.model] = model
    return {
        label: Simulator(label, state.folder("providers") / label, models, extra)
        for label, models in sorted(chosen.items())
    }


def prices(model: TableModel) -> dict[str, int]:
    """Picodollars a token, as the simulator wants them."""
    pricing = model.pricing
    told = {
        "input": pricing.input,
        "cachedInput": pricing.cached_input,
        "cacheWrite": pricing.cache_write,
        "cacheWriteLong": pricing.cache_write_long,
        "output": pricing.output,
    }
    return {name: price for name, price in told.items() if price is not None}


def program() -> str:
    """The simulator: named by POINTSMAN_SIM, beside this Python, or on the path."""
    beside = Path(sys.executable).parent / "pointsman-sim"
    named = os.environ.get("POINTSMAN_SIM")
    found = named or (str(beside) if beside.exists() else shutil.which("pointsman-sim"))
    if not found:
        raise StackError(
            "no pointsman-sim: it plays the providers whose keys are missing. Build it with "
            "`make engine`, name it in POINTSMAN_SIM, or set the providers' keys"
        )
    return found


def _given(rows: Iterable[tuple[str, ...]], environment: Mapping[str, str]) -> bool:
    return any(all(environment.get(name) for name in row) for row in rows)
