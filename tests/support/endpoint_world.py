"""A self-hosted model on several simulated engines, a dear one beside it, and a hub that tells."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.eventually import eventually
from support.free_port import free_port
from support.line import LIMITS, Line
from support.processes import Sidecar, Simulator, ended
from support.scripted_hub import ScriptedHub, scripted_hub
from support.tables import model, route, table

LLAMA = "main/llama"
ENGINES = ("one", "two", "three")
PING_EVERY_S = 5.0


class EndpointWorld(Line):
    """`auto` goes to `main/llama`, whose endpoints the hub tells, then to `main/dear`."""

    hub: ScriptedHub
    usual: str = ""
    """The digest of the table that it began with."""

    def tell(self, state: str = "Ready", **levels: int) -> None:
        """Have the hub tell which engines there are and how loaded; in force when this returns."""
        self.tell_of({self.url(name): level for name, level in levels.items()}, state)

    def tell_of(
        self, levels: dict[str, int], state: str = "Ready", unready: list[str] | None = None
    ) -> None:
        """The same by URL; without `unready` as an older hub tells it."""
        endpoints = [{"url": url, "level": level} for url, level in levels.items()]
        told: dict[str, Any] = {"state": state, "endpoints": endpoints}
        if unready is not None:
            told["unready"] = unready
        models = {LLAMA: told, "main/unknown": {"state": state}}
        self.hub.script.put({"event": "fleet", "rev": 1, "models": models})
        eventually(lambda: self.levels() == levels)

    def tell_nothing(self) -> None:
        """The hub speaks, and not of this model."""
        self.hub.script.put({"event": "fleet", "rev": 1, "models": {}})
        eventually(lambda: not self.levels())

    def levels(self) -> dict[str, int]:
        """What the sidecar was told last."""
        return {url: seen["level"] for url, seen in self.seen().items()}

    def kept(self) -> dict[str, int]:
        """What another start of it would find."""
        document = json.loads((self.folder / "state" / "fleet.json").read_bytes())
        endpoints = document["models"][LLAMA]["endpoints"]
        return {each["url"]: each["level"] for each in endpoints}

    def seen(self) -> dict[str, dict[str, int]]:
        """What the sidecar saw of each endpoint."""
        seen: dict[str, dict[str, int]] = self.sidecar.state()["endpoints"][LLAMA]
        return seen

    def asked(self, name: str) -> int:
        """How many calls reached an engine."""
        return int(self.providers[name].stats()["requests"])

    def served_by(self) -> str:
        """The model of a call that must be answered."""
        answer = self.chat()
        assert answer.status_code == 200, answer.text
        return str(answer.headers["x-pointsman-model"])

    def record(self, **more: Any) -> dict[str, Any]:
        """The record of a call that must be answered."""
        answer = self.chat(**more)
        assert answer.status_code == 200, answer.text
        return self.sidecar.record(answer.headers["x-pointsman-request-id"])

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Kill the sidecar at the end, whichever start of it is there then."""
        try:
            yield
        finally:
            self.sidecar.kill()

    def restart(self, **variables: str) -> None:
        """Another start of the same sidecar, whose hub nobody answers for."""
        self.sidecar.kill()
        nobody = {"POINTSMAN_HUB_URL": f"http://127.0.0.1:{free_port()}"}
        self.sidecar = start(self.folder, None, **nobody, **variables)
        self.http.base_url = httpx.URL(self.sidecar.url)


def llama(**changes: Any) -> dict[str, Any]:
    """The self-hosted model; `changes` are the table's."""
    own = {"type": "SelfHosted", "label": "self-hosted", "endpoints": "Pods"}
    provider = {**own, **changes.pop("provider", {})}
    return model("llama", "http://endpoints.invalid:8000", provider=provider, **changes)


def serving(
    made: Line, *, alone: bool = False, own: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The table; `alone`: without the dear model, `own`: of the self-hosted one."""
    models = [llama(**(own or {})), model("dear", made.url("dear"))]
    return table(models[:1]) if alone else table(models)


def overflowing(made: Line, first_token_ms: int = 30_000, **overflow: bool) -> dict[str, Any]:
    """The table with a rule of its own for when calls overflow."""
    rule = route("llama", "dear", overflow=overflow, timeouts={"firstTokenMs": first_token_ms})
    models = [llama(), model("dear", made.url("dear"))]
    return table(models, [{"name": "all", "when": {"models": ["auto"]}, "route": rule}])


def start(folder: Path, document: dict[str, Any] | None, **variables: str) -> Sidecar:
    """A sidecar with a token for its hub."""
    token = folder / "token"
    token.write_text("secret")
    return Sidecar(folder, document, POINTSMAN_HUB_TOKEN_FILE=str(token), **variables)


@contextmanager
def endpoint_world(folder: Path) -> Iterator[EndpointWorld]:
    """Three engines, the dear provider, the hub and the sidecar."""
    with ExitStack() as stack:
        made = EndpointWorld(folder, {})
        for name in (*ENGINES, "dear"):
            provider = Simulator(folder, name)
            stack.enter_context(ended(provider))
            made.providers[name] = provider
        made.hub = stack.enter_context(scripted_hub())
        stack.enter_context(pinging(made.hub))
        made.sidecar = start(folder, serving(made), POINTSMAN_HUB_URL=made.hub.url)
        stack.enter_context(made.killed())
        made.usual = str(made.sidecar.state()["digest"])
        client = httpx.Client(base_url=made.sidecar.url, limits=LIMITS, timeout=60)
        made.http = stack.enter_context(client)
        yield made


@contextmanager
def pinging(hub: ScriptedHub) -> Iterator[None]:
    """The hub's pings, without which a sidecar takes the stream for dead."""
    stop = threading.Event()

    def ping() -> None:
        while not stop.wait(PING_EVERY_S):
            hub.script.put({"event": "ping"})

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
