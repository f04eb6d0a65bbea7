"""The local stack: providers, hub and one sidecar, kept in step with a folder of resources.

`pointsman up` and `pointsman demo` drive it; the same compile, hub and sidecar serve a cluster.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.catalog.providers import with_usual_names
from pointsman_operator.cli.hub_client import HubClient
from pointsman_operator.cli.local.children import (
    Child,
    StackError,
    wait_until,
    without_provider_keys,
)
from pointsman_operator.cli.local.ports import Ports
from pointsman_operator.cli.local.providers import Simulator, simulators, without_key
from pointsman_operator.cli.resources import Judged
from pointsman_operator.cli.state import State
from pointsman_operator.compile import Compiled, CompiledTable, compile, simulate  # noqa: A004

HUB_WITHIN_S = 60.0
"""Generous: its first start on a slow machine compiles bytecode; one that died is seen at once."""
IN_FORCE_WITHIN_S = 15.0


@dataclass(frozen=True)
class StackOptions:
    """What can be chosen about the stack."""

    state: State
    ports: Ports
    policy: str = ""
    """`namespace/name`; needed only where a folder has several policies."""
    simulate: tuple[str, ...] = ()
    """Labels that are simulated even where a key is there."""
    simulator: Mapping[str, Any] = field(default_factory=dict)
    """Members that every simulator's configuration gets beside its own."""


class Stack:
    """Starts the parts, publishes tables, and ends everything in order."""

    def __init__(self, options: StackOptions) -> None:
        self._options = options
        self._boot = secrets.token_hex(8)
        self._fence = ""
        self._published: dict[str, str] = {}
        self.simulators: dict[str, Simulator] = {}
        self.policy = ObjectName("", "")
        self.takes_keys = False
        """Whether the policy is for callers who show an API key."""
        self.hub: Child | None = None
        self.sidecar: Child | None = None

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"http://{self._options.ports.data}/v1"

    @property
    def hub_url(self) -> str:
        """Where the hub answers."""
        return f"http://{self._options.ports.hub}"

    def client(self) -> HubClient:
        """An authenticated client of the hub."""
        return HubClient(self.hub_url, self._options.state.token_file)

    def start(self, judged: Judged) -> None:
        """Start everything and return when the sidecar serves the folder's table."""
        state = self._options.state
        state.prepare()
        self._fence = f"{state.installation()},{state.next_start()},{self._boot}"
        self.policy = chosen_policy(judged.compiled, self._options.policy)
        self.takes_keys = judged.snapshot.policies[self.policy].spec.target.gateway is not None
        self._start_simulators(judged)
        self.hub = Child(
            "the hub",
            hub_command(state.path, self._options.ports.hub),
            without_provider_keys(os.environ),
            state.path / "logs/hub",
        )
        self.hub.start()
        with self.client() as client:
            wait_until(client.healthy, [self.hub], "the hub's start", HUB_WITHIN_S)
        table = self.publish(judged)
        self.sidecar = Child(
            "the sidecar",
            (sys.executable, "-P", "-m", "pointsman_sidecar"),
            self._sidecar_environment(),
            state.path / "logs/sidecar",
        )
        self.sidecar.start()
        self.wait_in_force(table.digest)

    def publish(self, judged: Judged) -> CompiledTable:
        """Compile with the overlay and hand changed tables to the hub; the sidecar's own table."""
        compiled = self.overlaid(judged)
        tables = {str(name): table for name, table in compiled.tables.items()}
        if str(self.policy) not in tables:
            raise StackError(f"the policy {self.policy} that the sidecar serves is gone")
        with self.client() as client:
            for name, table in tables.items():
                if self._published.get(name) != table.digest:
                    client.put_table(name, table.data, self._fence)
                    self._published[name] = table.digest
            for name in self._published.keys() - tables.keys():
                client.delete_table(name, self._fence)
                del self._published[name]
        return tables[str(self.policy)]

    def overlaid(self, judged: Judged) -> Compiled:
        """The folder as it is served here: simulated providers in place of those without a key."""
        urls = {label: simulator.base_url for label, simulator in self.simulators.items()}
        return compile(simulate(judged.snapshot, urls, urls))

    def wait_in_force(self, digest: str) -> None:
        """Wait until the sidecar says that it serves this table."""
        children = [child for child in (self.hub, self.sidecar) if child is not None]
        with self.client() as client:

            def served() -> bool:
                return any(
                    one["connected"] and one["digest"] == digest for one in client.sidecars()
                )

            wait_until(served, children, f"the sidecar's change to {digest}", IN_FORCE_WITHIN_S)

    def children(self) -> list[Child]:
        """Everything that should be running, in the order of its end."""
        core = [child for child in (self.sidecar, self.hub) if child is not None]
        return core + [simulator.child for simulator in self.simulators.values()]

    def revive(self) -> list[str]:
        """Start again what has died; their names."""
        dead = [child for child in self.children() if not child.alive()]
        for child in dead:
            child.start()
        return [child.name for child in dead]

    def stop(self) -> None:
        """End everything: the sidecar drains and reports first, the hub books it, then the rest."""
        for child in self.children():
            child.stop()

    def _start_simulators(self, judged: Judged) -> None:
        state = self._options.state
        labels = {
            *without_key(judged.compiled, state, with_usual_names(os.environ)),
            *self._options.simulate,
        }
        self.simulators = simulators(judged.compiled, labels, state, self._options.simulator)
        for simulator in self.simulators.values():
            simulator.start()

    def _sidecar_environment(self) -> dict[str, str]:
        """The sidecar's settings; provider keys in our environment are for it."""
        state, ports = self._options.state, self._options.ports
        gateway = {
            "POINTSMAN_MODE": "gateway",
            "POINTSMAN_GATEWAY": f"policy/{self.policy.name}",
            "POINTSMAN_GATEWAY_PLAIN": "true",
        }
        return (
            with_usual_names(os.environ)
            | (gateway if self.takes_keys else {})
            | {
                "POINTSMAN_DATA_ADDRESS": ports.data,
                "POINTSMAN_ADMIN_ADDRESS": ports.admin,
                "POINTSMAN_DEBUG_ADDRESS": ports.debug,
                "POINTSMAN_HUB_URL": self.hub_url,
                "POINTSMAN_HUB_TOKEN_FILE": str(state.token_file),
                "POINTSMAN_SECRETS_DIR": str(state.secrets),
                "POINTSMAN_STATE_DIR": str(state.folder("sidecar")),
                "POINTSMAN_SIDECAR": f"local-{state.installation()}",
                "POINTSMAN_NAMESPACE": self.policy.namespace,
                "POINTSMAN_WORKLOAD": self.policy.name,
                "POINTSMAN_POD": "local",
            }
        )


def hub_command(state: Path, address: str) -> tuple[str, ...]:
    """How the hub is started: the same module as in a cluster."""
    program = (sys.executable, "-P", "-m", "pointsman_operator.hub")
    return (*program, "--state", str(state), "--listen", address)


def chosen_policy(compiled: Compiled, wanted: str) -> ObjectName:
    """The policy that the sidecar serves: the one wanted, or the only one."""
    names = {str(name): name for name in compiled.tables}
    if wanted in names:
        return names[wanted]
    if not names:
        raise StackError("the folder has no RoutingPolicy: there is nothing to serve")
    listed = ", ".join(sorted(names))
    if wanted:
        raise StackError(f"no policy {wanted}; there are: {listed}")
    if len(names) > 1:
        raise StackError(f"choose the policy to serve with --policy; there are: {listed}")
    return next(iter(names.values()))
