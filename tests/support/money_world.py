"""A hub, sidecars and a simulator with its own bill: the stage on which money is judged.

The judge is always the bill: the simulator writes it before it sends what it pays for, in its own
process, and shares no code with engine or hub.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.eventually import eventually
from support.free_port import free_port
from support.hub_process import HubProcess, on_postgresql
from support.processes import Sidecar, Simulator, canonical, ended
from support.tables import PRICES, model, table
from support.tree import ROOT

CENT = 10**10
DOLLAR = 100 * CENT
MOVED_HUB = str(ROOT / "tests" / "support" / "moved_hub.py")
DYING_HUB = str(ROOT / "tests" / "support" / "dying_hub.py")
DEAR = {"input": 1_000_000, "cachedInput": 500_000, "output": 10_000_000}
"""Prices at which a hundred thousand answer tokens are a dollar."""
UPSTREAM = {"gpt-2026": PRICES, "cheap-2026": PRICES, "dear-2026": DEAR}
CLOCK = "clock"
YEAR_MS = 366 * 86_400_000
DAY = {"calendar": "Day", "timeZone": "UTC"}
BLOCK = [{"percent": 100, "action": "Block"}]


def a_budget(amount: int, name: str = "team", **changes: Any) -> dict[str, Any]:
    """A Budget with the limit `day`, enforced and blocking at 100 %; `changes` replace members."""
    window = changes.pop("window", DAY)
    enforcement = {
        "mode": "Enforce",
        "onLedgerUnavailable": "SpendLease",
        "outageHorizonSeconds": 60,
        "defaultMaxTokens": 4096,
        **changes.pop("enforcement", {}),
    }
    return {
        "namespace": "demo",
        "name": name,
        "subject": {"namespaces": [], "workloads": [], "models": []},
        "limits": [{"name": "day", "amount": amount, "window": window}],
        "thresholds": BLOCK,
        "enforcement": enforcement,
        **changes,
    }


@dataclass
class MoneyWorld:
    """The processes of one test; each may be killed and started again on its own state."""

    folder: Path
    sim: Simulator
    hub: HubProcess
    sidecars: dict[str, Sidecar] = field(default_factory=dict)
    scripts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, *budgets: dict[str, Any], names: tuple[str, ...] = ("gpt",), **more: Any) -> str:
        """Put a table with these Budgets over the models `names`; its digest."""
        models = [model(name, self.sim.url, **more.pop(name, {})) for name in names]
        document = table(models, budgets=list(budgets), **more)
        return self.hub.put_table(canonical(document), "test")

    def start_sidecar(self, name: str = "a", **options: Any) -> Sidecar:
        """Start, or start again, the sidecar of that name; it has the hub's table then."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        sidecar = Sidecar(
            folder,
            POINTSMAN_HUB_URL=self.hub.url,
            POINTSMAN_HUB_TOKEN_FILE=str(self.folder / "hub" / "token"),
            POINTSMAN_SIDECAR=f"sidecar-{name}",
            **options,
        )
        self.sidecars[name] = sidecar
        eventually(lambda: sidecar.alive() and sidecar.state()["digest"])
        return sidecar

    def scripted(self, do: dict[str, Any]) -> str:
        """The user agent whose calls the simulator treats so: sidecars pass that header on."""
        agent = json.dumps(do)
        if agent not in self.scripts:
            self.scripts[agent] = {"match": {"header": {"user-agent": agent}}, "do": do}
            self.sim.script(*self.scripts.values())
        return agent

    def reach(self, digest: str) -> None:
        """Wait until every sidecar serves that table."""
        for sidecar in self.sidecars.values():
            eventually(lambda at=sidecar: at.state()["digest"] == digest)  # type: ignore[misc]

    def finish(self) -> None:
        """SIGTERM to every sidecar: their last reports arrive before they end."""
        for sidecar in self.sidecars.values():
            if sidecar.child.poll() is None:
                assert sidecar.terminate() == 0, sidecar.log.read_text()

    def billed(self) -> int:
        """What the provider charges for everything so far, picodollars."""
        return sum(entry["cost"] for entry in self.sim.bill().values())

    def balances(self, account: str = "demo/team/day") -> list[dict[str, Any]]:
        """Every window of an account."""
        rows = self.hub.http.get("/v1/budgets", params={"all": "true"}).json()
        return [row for row in rows if row["account"] == account]

    def booked(self, account: str = "demo/team/day") -> int:
        """Settled and unconfirmed in all windows of an account, each of them conserved (I8)."""
        rows = self.balances(account)
        for row in rows:
            assert_conserved(row)
        return sum(row["settled"] + row["unconfirmed"] for row in rows)

    def set_clock(self, moment_ms: int, *, ahead_s: float) -> None:
        """Let the hub's clock reach that moment so many seconds from now; never set it back."""
        move_clock(self.folder / CLOCK, moment_ms, ahead_s=ahead_s)

    def close(self) -> None:
        """Kill what is left."""
        for sidecar in self.sidecars.values():
            sidecar.kill()
        if self.hub.running:
            self.hub.kill()
        self.hub.http.close()
        self.sim.kill()


def move_clock(file: Path, moment_ms: int, *, ahead_s: float) -> None:
    """Let the clock of that file reach a moment so many seconds from now; never set it back."""
    fresh = file.with_suffix(".new")
    fresh.write_text(str(moment_ms - int((time.time() + ahead_s) * 1000)))
    fresh.replace(file)


def assert_conserved(row: dict[str, Any]) -> None:
    """I8: settled + unconfirmed + leased + available = limit + overrun, no term negative."""
    terms = [row[term] for term in ("settled", "unconfirmed", "leased", "available")]
    assert sum(terms) == row["limit"] + row["overrun"], row
    assert min(*terms, row["overrun"]) >= 0, row


@contextmanager
def money_world(
    folder: Path, *, moved: bool = False, url: str = "", **sim: Any
) -> Iterator[MoneyWorld]:
    """A hub and a simulator, no sidecar yet; with `moved`, `set_clock` moves the hub's clock.

    With the URL of a PostgreSQL database the hub keeps its ledger there.
    """
    state = folder / "hub"
    state.mkdir()
    # A fixed port: sidecars find the hub again after its restart.
    hub = HubProcess(state, ["--listen", f"127.0.0.1:{free_port()}"])
    if url:
        hub.arguments += on_postgresql(url, state)
    if moved:
        (folder / CLOCK).write_text(str(-YEAR_MS))
        hub.entry = [MOVED_HUB, str(folder / CLOCK)]
    with ExitStack() as stack:
        simulator = Simulator(folder, prices=UPSTREAM, **sim)
        stack.enter_context(ended(simulator))
        hub.start()
        world = MoneyWorld(folder, simulator, hub)
        stack.callback(world.close)
        yield world


def say(figures: str) -> None:
    """Print what a test measured: `-s`, or the report of a failure, shows it."""
    sys.stdout.write(f"{figures}\n")
