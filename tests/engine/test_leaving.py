"""Calls that wait at a self-hosted engine which falls asleep or vanishes before it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from support.endpoint_world import EndpointWorld, endpoint_world, overflowing
from support.engine_process import EngineProcess
from support.eventually import eventually
from support.free_port import free_port
from support.processes import ended

HANGS = {"delayMs": 120_000}
SOON = {"delayMs": 1_000}
LIMIT_MS = 60_000
"""A call that stayed where it is would be known by taking longer."""
AT_ONCE_S = LIMIT_MS / 2_000


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointWorld]:
    """Engines, a dear provider, and a long time to the first token."""
    with endpoint_world(tmp_path_factory.mktemp("leaving")) as made:
        made.swap(patient(made))
        yield made


@pytest.fixture
def world(shared_world: EndpointWorld) -> EndpointWorld:
    """One engine listed, all healthy."""
    for name in shared_world.providers:
        shared_world.script(name)
    shared_world.tell(one=0)
    return shared_world


def patient(world: EndpointWorld, **overflow: bool) -> dict[str, Any]:
    """The table; the name of its model upstream is that of the simulated vLLM."""
    document = overflowing(world, first_token_ms=LIMIT_MS, **overflow)
    document["models"][0]["provider"]["model"] = "smollm2"
    return document


@contextmanager
def waiting(world: EndpointWorld, ask: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """A call that has reached engine `one`; what came of it, with the seconds that it took."""
    before, begun_s = world.asked("one"), time.monotonic()
    with ThreadPoolExecutor(1) as callers:
        asked = callers.submit(ask)
        eventually(lambda: world.asked("one") == before + 1)
        yield lambda: (asked.result(), time.monotonic() - begun_s)


def test_calls_in_the_queue_of_an_engine_that_falls_asleep_are_answered_elsewhere(
    world: EndpointWorld,
) -> None:
    """At once, by the next candidate; nothing is held against the sleeper when it wakes."""
    engine = EngineProcess(world.folder / "vllm", "127.0.0.1", free_port())
    with ended(engine), ThreadPoolExecutor(6) as callers:
        world.tell_of({engine.url: 0}, unready=[])
        assert world.served_by() == "main/llama"
        engine.tell("/sleep?level=1")
        before, begun_s = engine.calls(), time.monotonic()
        asked = [callers.submit(world.chat) for _ in range(6)]
        eventually(lambda: engine.calls() == before + 6)
        world.tell_of({}, "Asleep", unready=[])
        answers = [each.result() for each in asked]
        assert time.monotonic() - begun_s < AT_ONCE_S
        assert {it.headers["x-pointsman-model"] for it in answers} == {"main/dear"}
        record = world.sidecar.record(answers[0].headers["x-pointsman-request-id"])
        left, answered = record["attempts"]
        assert (left["model"], left["left"], left["endpoint"]) == ("main/llama", True, engine.url)
        assert (answered["model"], "left" in answered) == ("main/dear", False)
        engine.tell("/wake_up")
        world.tell_of({engine.url: 0}, unready=[])
        assert world.served_by() == "main/llama"
        assert world.seen()[engine.url]["failed"] == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_vanished_endpoints_call_goes_to_another_one_of_the_model(
    world: EndpointWorld, *, stream: bool
) -> None:
    """Before it goes to another model, streamed or not."""
    world.script("one", HANGS)
    with waiting(world, lambda: world.chat(stream=stream)) as answer:
        world.tell_of({world.url("two"): 4}, unready=[])
        came, took_s = answer()
    assert (came.status_code, came.headers["x-pointsman-model"]) == (200, "main/llama")
    assert took_s < AT_ONCE_S


def test_a_call_stays_where_it_may_still_be_answered(world: EndpointWorld) -> None:
    """On its way out, told by an older hub, or with nowhere else to go: it waits for the answer."""
    one = world.url("one")
    kept: list[list[str] | None] = [[one], None]
    for unready in kept:
        world.tell(one=0)
        world.script("one", SOON)
        with waiting(world, world.chat) as answer:
            world.tell_of({}, "Starting", unready)
            came, _ = answer()
        assert came.headers["x-pointsman-model"] == "main/llama"
    alone = patient(world)
    del alone["rules"][0]["route"]["candidates"][1:]
    for table in (alone, patient(world, onColdStart=False)):
        world.swap(table)
        world.tell(one=0)
        with waiting(world, world.chat) as answer:
            world.tell_of({}, "Asleep", unready=[])
            came, _ = answer()
        assert came.headers["x-pointsman-model"] == "main/llama"
    world.swap(patient(world))


def test_a_stream_that_has_begun_stays(world: EndpointWorld) -> None:
    """What has gone down cannot be taken back: its end is the engine's."""
    world.script("one", {"firstTokenMs": 10, "tokensPerSecond": 20, "outputTokens": 30})
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}], "stream": True}
    with world.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        pieces = answer.iter_text()
        text = next(pieces)
        world.tell_of({}, "Asleep", unready=[])
        text += "".join(pieces)
    assert answer.status_code == httpx.codes.OK
    assert text.rstrip().endswith("data: [DONE]")
