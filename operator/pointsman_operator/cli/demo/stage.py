"""The demo's stage: the local stack, every provider simulated, and a real small model beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman_operator.cli.demo import local_model
from pointsman_operator.cli.hub_client import HubClient, HubError
from pointsman_operator.cli.local.children import Child, StackError
from pointsman_operator.cli.local.ports import Ports, free_ports
from pointsman_operator.cli.local.stack import Stack, StackOptions
from pointsman_operator.cli.resources import Judged, judge
from pointsman_operator.cli.state import State
from pointsman_operator.compile.table import TableModel
from pointsman_operator.demo_data.questions import Price, write_replay

EXAMPLE_PORT = "http://127.0.0.1:8099/"
PRIMARY = "openai"
"""The provider of the example's rule `steady`."""
NO_ID = ""
PACE = {"firstTokenMs": 150, "tokensPerSecond": 120, "deltaTokens": 5}
"""How simulated providers answer. Five tokens a chunk: two would more than double the whole demo's
CPU, most of it in the caller's SDK, and on a busy machine that is its length."""


@dataclass
class Stage:
    """Everything that runs while the acts are played."""

    stack: Stack
    judged: Judged
    state: State
    models: dict[str, TableModel]
    """By the pool's name."""
    local: Child | None
    local_port: int

    @property
    def upstream(self) -> dict[str, str]:
        """Each model's name at its provider."""
        return {name: model.provider.model for name, model in self.models.items()}

    @property
    def prices(self) -> dict[str, Price]:
        """Picodollars a token, by the model's name at its provider; of simulated providers only."""
        return {
            model.provider.model: Price(model.pricing.input, model.pricing.output)
            for model in self.models.values()
            if model.provider.simulated
        }

    @property
    def tiers(self) -> dict[str, int]:
        """Each model's tier."""
        return {name: model.tier for name, model in self.models.items()}

    def served_by(self, label: str) -> frozenset[str]:
        """The models of one provider."""
        return frozenset(n for n, model in self.models.items() if model.provider.label == label)

    def records(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The hub's record of each request; missing ones are left out."""
        found: dict[str, dict[str, Any]] = {}
        with self.stack.client() as client:
            for request_id in ids:
                record = decision(client, request_id)
                if record is not None:
                    found[request_id] = record
        return found

    def wait_local(self) -> None:
        """Return when the local model serves; it loads while the others play."""
        if self.local is not None:
            local_model.wait_ready(self.local, self.local_port)

    def close(self) -> None:
        """End everything that still runs."""
        self.stack.stop()
        if self.local is not None:
            self.local.stop()


def decision(client: HubClient, request_id: str) -> dict[str, Any] | None:
    """One record, if there is one."""
    if request_id == NO_ID:
        return None
    try:
        return client.decision(request_id)
    except HubError:
        return None


def raise_curtain(
    folder: Path, state_path: Path, *, with_model: bool, say: Callable[[str], None]
) -> Stage:
    """Start everything in a fresh state folder."""
    shutil.rmtree(state_path, ignore_errors=True)
    state = State(state_path)
    state.prepare()
    port = free_ports(1)[0]
    judged = judge(rewritten(folder, state_path / "resources", port))
    if judged.errors:
        raise StackError(f"{folder} has errors: see `pointsman validate {folder}`")
    replay = state_path / "replay.json.gz"
    write_replay(replay)
    local = None
    if with_model:
        say("starting a real model on this machine: llama.cpp with SmolLM2-135M")
        local = local_model.child(port, state_path / "logs" / "local-model")
        local.start()
    everyone = {
        model.provider.label
        for table in judged.compiled.tables.values()
        for model in table.table.models
        if model.provider.credential is not None
    }
    say(f"starting simulated providers ({', '.join(sorted(everyone))}), hub and sidecar")
    stack = Stack(
        StackOptions(
            state=state,
            ports=Ports.beginning_at(0),
            simulate=tuple(everyone),
            simulator={"replay": str(replay), "pace": PACE},
        )
    )
    stage = Stage(stack, judged, state, {}, local, port)
    try:
        stack.start(judged)
        table = stack.overlaid(judged).tables[stack.policy].table
        stage.models = {model.name: model for model in table.models}
    except BaseException:
        stage.close()
        raise
    return stage


def rewritten(folder: Path, copy: Path, port: int) -> Path:
    """The same resources, with the local model where it listens this time."""
    shutil.copytree(folder, copy)
    for file in copy.glob("*.yaml"):
        text = file.read_text()
        file.write_text(text.replace(EXAMPLE_PORT, f"http://127.0.0.1:{port}/"))
    return copy
