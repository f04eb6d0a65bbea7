"""A guest's call at a pool's gateway whose engines refuse, fall asleep or break off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.endpoint_world import LLAMA, llama, pinging
from support.eventually import eventually
from support.free_port import free_port
from support.gateways import AUDIENCE, Neighbours, neighbours
from support.line import asked
from support.processes import Simulator, ended
from support.tables import model, route, table

HANGS = {"delayMs": 120_000}
BREAKS_OFF = {"cutAtByte": 20, "cut": "reset"}
FULL = 4
"""Drawn only where there is nothing better."""
GUESTS_LIMIT_MS = 2_000
AT_ONCE_S = 30.0
"""The gateway itself would wait for an hour."""


@dataclass
class World:
    """A gateway of engines `one` and `two`, and a guest that has `main/dear` besides."""

    both: Neighbours
    engines: dict[str, Simulator]

    def tell(self, levels: dict[str, int], state: str = "Ready") -> None:
        """Have the gateway's hub tell of endpoints by URL; in force when this returns."""
        endpoints = [{"url": url, "level": level} for url, level in levels.items()]
        told = {"state": state, "endpoints": endpoints, "unready": []}
        self.both.hub.script.put({"event": "fleet", "rev": 1, "models": {LLAMA: told}})
        eventually(lambda: self._levels() == levels)

    def url(self, name: str) -> str:
        """Of an engine."""
        return self.engines[name].url

    def script(self, name: str, *actions: dict[str, Any]) -> None:
        """What an engine does from now on."""
        self.engines[name].script(*({"match": {}, "do": action} for action in actions))

    def asked(self, name: str) -> int:
        """How many calls have reached an engine."""
        return int(self.engines[name].stats()["requests"])

    def knock(self) -> httpx.Response:
        """A guest's call, without its sidecar."""
        return self.both.knock(self.both.mint.ticket(), model=LLAMA)

    def call(self) -> httpx.Response:
        """The guest's app's call, to its own sidecar: a stream, whose first token has a limit."""
        url = f"{self.both.caller.url}/v1/chat/completions"
        return httpx.post(url, json=asked(model="auto", stream=True), timeout=50)

    def attempts(self, answer: httpx.Response) -> list[dict[str, Any]]:
        """What the gateway did for a call."""
        record = self.both.gateway.record(answer.headers["x-pointsman-request-id"])
        return list(record["attempts"])

    def _levels(self) -> dict[str, int]:
        seen = self.both.gateway.state()["endpoints"].get(LLAMA, {})
        return {url: row["level"] for url, row in seen.items()}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Started once."""
    folder: Path = tmp_path_factory.mktemp("gateway-endpoints")
    with ExitStack() as stack:
        both = stack.enter_context(neighbours(folder))
        stack.enter_context(pinging(both.hub))
        made = {name: Simulator(folder, name) for name in ("one", "two", "dear")}
        stack.enter_context(ended(*made.values()))
        own = table([llama(provider={"model": "llama"})], rules=[], gateway={"namespaces": ["b"]})
        own["policy"] = {"namespace": "ai", "name": "pool:main"}
        url = both.gateway.url.replace("http://127.0.0.1", "https://localhost")
        way = {"gateway": {"audience": AUDIENCE}, "model": LLAMA, "simulated": False}
        models = [model("llama", url, provider=way), model("dear", made["dear"].url)]
        limit = {"firstTokenMs": GUESTS_LIMIT_MS}
        routed = {"route": route("llama", "dear", timeouts=limit)}
        guests = table(models, [{"name": "all", "when": {"models": ["auto"]}, **routed}])
        for sidecar, document in ((both.gateway, own), (both.caller, guests)):
            before = sidecar.state()["digest"]
            sidecar.write_table(document)
            eventually(lambda it=sidecar, old=before: it.state()["digest"] != old)  # type: ignore[misc]
        yield World(both, made)


@pytest.fixture
def world(shared: World) -> World:
    """All engines healthy."""
    for name in shared.engines:
        shared.script(name)
    return shared


def test_an_engine_that_takes_no_connection_is_replaced_within_the_call(world: World) -> None:
    """Nothing was asked there, so nothing can be billed: the other one answers."""
    nobody = f"http://127.0.0.1:{free_port()}"
    world.tell({nobody: 0, world.url("two"): FULL})
    answer = world.knock()
    assert answer.status_code == httpx.codes.OK, answer.text
    refused, answered = world.attempts(answer)
    assert (refused["class"], refused["endpoint"]) == ("Connect", nobody)
    assert (answered["class"], answered["endpoint"]) == ("ok", world.url("two"))


def test_a_second_attempt_of_the_gateways_is_not_called_like_its_guests(world: World) -> None:
    """The guest's own second attempt would be `.2`: what a provider counts by them stays apart."""
    nobody = f"http://127.0.0.1:{free_port()}"
    world.tell({nobody: 0, world.url("two"): FULL})
    answer = world.call()
    assert answer.status_code == httpx.codes.OK, answer.text
    name = f"{answer.headers['x-pointsman-request-id']}.1.2"
    eventually(lambda: name in world.engines["two"].bill())


def test_a_guests_call_leaves_an_engine_that_falls_asleep(world: World) -> None:
    """At once, to the other one, and not only when the guest's own limit is over."""
    world.script("one", HANGS)
    world.tell({world.url("one"): 0, world.url("two"): FULL})
    before, begun_s = world.asked("one"), time.monotonic()
    with ThreadPoolExecutor(1) as callers:
        asking = callers.submit(world.knock)
        eventually(lambda: world.asked("one") == before + 1)
        world.tell({world.url("two"): FULL})
        answer = asking.result()
    assert answer.status_code == httpx.codes.OK, answer.text
    assert time.monotonic() - begun_s < AT_ONCE_S
    left, answered = world.attempts(answer)
    assert (left["left"], answered["class"]) == (True, "ok")


def test_what_may_have_been_billed_is_asked_once(world: World) -> None:
    """A second answer is the guest's to order, who pays: the gateway passes the failure on."""
    world.script("one", BREAKS_OFF)
    world.tell({world.url("one"): 0, world.url("two"): FULL})
    before = world.asked("one"), world.asked("two")
    answer = world.knock()
    assert answer.status_code == httpx.codes.BAD_GATEWAY
    assert [row["class"] for row in world.attempts(answer)] == ["TruncatedEarly"]
    assert (world.asked("one"), world.asked("two")) == (before[0] + 1, before[1])


def test_with_no_other_engine_the_guests_own_fallback_answers(world: World) -> None:
    """Its sidecar waits as long as its policy says, then asks its next model."""
    world.script("one", HANGS)
    world.tell({world.url("one"): 0})
    before, begun_s = world.asked("one"), time.monotonic()
    with ThreadPoolExecutor(1) as callers:
        asking = callers.submit(world.call)
        eventually(lambda: world.asked("one") == before + 1)
        world.tell({}, "Asleep")
        answer = asking.result()
    assert answer.headers["x-pointsman-model"] == "main/dear"
    assert GUESTS_LIMIT_MS / 1_000 <= time.monotonic() - begun_s < AT_ONCE_S
