"""A hub, a fleet of sidecars and two simulated providers: the stage for outages that are shared.

How often a provider was hit says its own count, in its own process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from support.eventually import eventually
from support.free_port import free_port
from support.hub_process import HubProcess
from support.processes import Sidecar, Simulator, canonical
from support.tables import model, table

DEAD = {"match": {"path": "/v1/chat/completions"}, "do": {"refuse": True}}
"""Closes each connection at its next request, also those that are open."""
BROKEN = "broken"
UNREACHABLE = {"match": {"header": {"user-agent": BROKEN}}, "do": {"refuse": True}}
"""The same for the calls of those alone whose way to the provider is broken."""


@dataclass
class Seen:
    """One call as its app saw it."""

    at_s: float
    ok: bool
    model: str
    id: str


@dataclass
class Member:
    """One sidecar and its app."""

    sidecar: Sidecar
    http: httpx.Client
    seen: list[Seen] = field(default_factory=list)

    def call(self, agent: str = "app") -> Seen:
        """One plain call."""
        began = time.monotonic()
        body = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
        answer = self.http.post(
            "/v1/chat/completions", json=body, headers={"user-agent": agent}, timeout=30
        )
        shown = answer.headers
        model, request = shown.get("x-pointsman-model", ""), shown["x-pointsman-request-id"]
        made = Seen(began, answer.is_success, model, request)
        self.seen.append(made)
        return made

    def told_down(self) -> list[str]:
        """What it tries last because others find it down."""
        return list(self.sidecar.state()["told_down"])


@dataclass
class HealthWorld:
    """All of it; `a` is preferred, `b` takes over."""

    folder: Path
    a: Simulator
    b: Simulator
    hub: HubProcess
    members: list[Member]

    def hits(self) -> int:
        """How often `a` was tried: requests, and connections."""
        stats = self.a.stats()
        return int(stats["requests"] + stats["connections"])

    def all_told(self, *names: str, within_s: float = 5.0) -> None:
        """Wait until every sidecar has been told that just these are down."""
        for member in self.members:
            eventually(lambda at=member: at.told_down() == list(names), within_s)  # type: ignore[misc]

    def down(self) -> list[dict[str, Any]]:
        """What the controller is told."""
        rows: list[dict[str, Any]] = self.hub.http.get("/v1/fleet").json()["down"]
        return rows

    def everyone(self, work: Callable[[Member], Any], *members: Member) -> list[Any]:
        """Some, or all, at once."""
        chosen = members or tuple(self.members)
        with ThreadPoolExecutor(len(chosen)) as pool:
            return list(pool.map(work, chosen))

    def back_after(self, began_s: float, *members: Member, within_s: float = 10.0) -> list[float]:
        """Call steadily until each is answered by `a`; how long after that moment each was."""

        def until_back(member: Member) -> float:
            eventually(lambda: _paced(member).model == "main/a", within_s)
            return member.seen[-1].at_s - began_s

        found: list[float] = self.everyone(until_back, *members)
        return found


def _paced(member: Member, agent: str = "app") -> Seen:
    """One call of an app that makes about ten a second."""
    time.sleep(0.1)
    return member.call(agent)


def steadily(until_s: float, agent: str = "app") -> Callable[[Member], None]:
    """Ten calls a second until that moment."""

    def work(member: Member) -> None:
        while time.monotonic() < until_s:
            _paced(member, agent)

    return work


@contextmanager
def health_world(folder: Path, sidecars: int) -> Iterator[HealthWorld]:
    """Start it; all sidecars have the table and their streams are open."""
    with ExitStack() as stack:
        (hub_folder := folder / "hub").mkdir()
        providers = {name: Simulator(folder, name) for name in ("a", "b")}
        for provider in providers.values():
            stack.callback(provider.kill)
        # Last wins: a hub that is started again is found at its old address.
        hub = HubProcess(hub_folder, ["--listen", f"127.0.0.1:{free_port()}"])
        hub.start()
        stack.callback(lambda: hub.kill() if hub.running else None)
        models = [model(name, provider.url) for name, provider in providers.items()]
        hub.put_table(canonical(table(models)), "test")
        members: list[Member] = []
        for number in range(sidecars):
            (own := folder / f"s{number}").mkdir()
            sidecar = Sidecar(
                own,
                POINTSMAN_HUB_URL=hub.url,
                POINTSMAN_HUB_TOKEN_FILE=str(hub_folder / "token"),
                POINTSMAN_SIDECAR=f"sidecar-{number}",
            )
            stack.callback(sidecar.kill)
            client = stack.enter_context(httpx.Client(base_url=sidecar.url))
            members.append(Member(sidecar, client))
        for member in members:
            eventually(lambda at=member: at.sidecar.state()["digest"])  # type: ignore[misc]
        yield HealthWorld(folder, providers["a"], providers["b"], hub, members)
