"""Self-hosted models on several endpoints: who gets a call, who takes over, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.endpoint_world import (
    ENGINES,
    EndpointWorld,
    endpoint_world,
    overflowing,
    serving,
)
from support.eventually import eventually
from support.line import Streamed

FULL = 4
SLOW = {"firstTokenMs": 20, "tokensPerSecond": 500, "outputTokens": 40}


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointWorld]:
    """Started once for the tests that break nothing."""
    with endpoint_world(tmp_path_factory.mktemp("endpoints")) as made:
        yield made


@pytest.fixture
def world(shared_world: EndpointWorld) -> EndpointWorld:
    """All engines idle, healthy and told, under the usual table."""
    if shared_world.sidecar.state()["digest"] != shared_world.usual:
        shared_world.swap(serving(shared_world))
    for name in shared_world.providers:
        shared_world.script(name)
    shared_world.tell(one=0, two=0, three=0)
    return shared_world


def asked(world: EndpointWorld) -> dict[str, int]:
    """Calls by provider, so far."""
    return {name: world.asked(name) for name in world.providers}


def since(world: EndpointWorld, before: dict[str, int]) -> dict[str, int]:
    """Calls by provider after that."""
    return {name: count - before[name] for name, count in asked(world).items()}


def service(world: EndpointWorld, name: str) -> dict[str, str]:
    """The provider of a model whose Service leads to this engine."""
    return {"endpoints": "Service", "baseURL": f"{world.url(name)}/v1"}


def whole(answer: Streamed) -> bool:
    """Whether a caller got all of a stream."""
    return answer.status == 200 and answer.done and bool(answer.text)


def test_endpoints_share_the_calls(world: EndpointWorld) -> None:
    """Nine callers at once: every engine works, none gets most of it."""
    for name in ENGINES:
        world.script(name, SLOW)
    before = asked(world)
    with ThreadPoolExecutor(9) as callers:
        answers = list(callers.map(lambda _: world.stream(), range(90)))
    assert all(map(whole, answers))
    counts = since(world, before)
    assert counts.pop("dear") == 0
    assert sum(counts.values()) == 90
    assert min(counts.values()) >= 15, counts


def test_what_was_seen_is_told(world: EndpointWorld) -> None:
    """Calls, first token and pace of each endpoint reach the hub in a report."""
    world.tell(two=0)
    world.script("two", SLOW)
    served = world.seen()[world.url("two")]["served"]
    for _ in range(4):
        assert whole(world.stream())
    world.chat()
    url = world.url("two")
    eventually(lambda: world.seen()[url]["inFlight"] == 0)
    seen = world.seen()[url]
    assert (seen["served"], seen["failed"]) == (served + 5, 0)
    assert 10 <= seen["firstTokenMs"] < 5_000
    assert 1 <= seen["betweenTokensMs"] < 500

    def told() -> list[dict[str, int]]:
        reports = [each.get("endpoints", {}).get("main/llama", {}) for each in world.hub.reports]
        return [models[url] for models in reports if url in models]

    eventually(lambda: told()[-1:] and told()[-1]["served"] == seen["served"])
    assert told()[-1] == {
        "first_token_ms": seen["firstTokenMs"],
        "between_tokens_ms": seen["betweenTokensMs"],
        "in_flight": 0,
        "served": seen["served"],
        "failed": 0,
    }


def test_a_full_endpoint_gets_nothing_while_another_has_room(world: EndpointWorld) -> None:
    """The hub's level decides before our own calls in flight do."""
    world.tell(one=FULL, two=3, three=FULL)
    before = asked(world)
    assert [world.served_by() for _ in range(10)] == ["main/llama"] * 10
    assert since(world, before) == {"one": 0, "two": 10, "three": 0, "dear": 0}


def test_saturation_overflows_and_returns(world: EndpointWorld) -> None:
    """Every engine full: the next candidate takes over, the record says why, and it ends."""
    overflow = 'pointsman_overflow_total{model="main/llama",provider="self-hosted",reason='
    counted = world.sidecar.metric(f'{overflow}"saturated"}}')
    world.tell(one=FULL, two=FULL, three=FULL)
    found = world.record()
    assert found["model"] == "main/dear"
    rows = {row["model"]: row.get("filtered") for row in found["candidates"]}
    assert rows == {"main/dear": None, "main/llama": "saturated"}
    assert "main/llama was passed over (saturated)" in found["reason"]
    assert world.sidecar.metric(f'{overflow}"saturated"}}') == counted + 1
    level = 'pointsman_endpoints{model="main/llama",provider="self-hosted",level="full"}'
    assert world.sidecar.metric(level) == 3
    world.tell(one=3, two=FULL, three=FULL)
    found = world.record()
    assert found["model"] == "main/llama"
    assert found["attempts"][0]["endpoint"] == world.url("one")
    assert world.sidecar.metric(level) == 2


def test_what_is_full_still_serves_where_nothing_else_can(world: EndpointWorld) -> None:
    """Alone in its route, or before candidates that fail, a full engine is better than an error."""
    world.tell(one=FULL, two=FULL)
    world.script("dear", {"status": 500})
    assert world.served_by() == "main/llama"
    world.swap(serving(world, alone=True))
    assert world.served_by() == "main/llama"
    world.swap(overflowing(world, onSaturated=False))
    found = world.record()
    assert (found["model"], found["candidates"][0].get("filtered")) == ("main/llama", None)


def test_a_sleeping_engine_is_never_called(world: EndpointWorld) -> None:
    """One that is not listed gets nothing; with all asleep calls overflow."""
    for name in ENGINES:
        world.script(name, {"acceptAndStall": True})
    world.script("two")
    world.tell(two=2)
    before = asked(world)
    for _ in range(5):
        assert world.served_by() == "main/llama"
    world.tell("Asleep")
    found = world.record()
    rows = {row["model"]: row.get("filtered") for row in found["candidates"]}
    assert rows == {"main/dear": None, "main/llama": "cold_start"}
    assert since(world, before) == {"one": 0, "two": 5, "three": 0, "dear": 1}


def test_a_cold_start_is_waited_for_where_the_route_says_so(world: EndpointWorld) -> None:
    """Without overflow the call goes out as soon as the first engine is ready."""
    world.tell("Starting")
    world.swap(overflowing(world, onColdStart=False))
    before = asked(world)
    with ThreadPoolExecutor(1) as callers:
        waiting = callers.submit(world.served_by)
        eventually(lambda: world.sidecar.state()["in_flight"] == 1)
        world.tell(three=0)
        assert waiting.result() == "main/llama"
    assert since(world, before) == {"one": 0, "two": 0, "three": 1, "dear": 0}


def test_a_cold_start_that_takes_too_long_is_no_failure(world: EndpointWorld) -> None:
    """After `firstToken` the next candidate takes over; both are in the record."""
    world.tell("Asleep")
    world.swap(overflowing(world, first_token_ms=200, onColdStart=False))
    found = world.record()
    assert found["model"] == "main/dear"
    waited, answered = found["attempts"]
    assert (waited["model"], waited["class"], waited["status"]) == ("main/llama", "Connect", 0)
    assert "endpoint" not in waited
    assert answered["start_us"] >= 200_000


def test_a_service_answers_under_its_name_until_its_endpoints_are_told(
    world: EndpointWorld,
) -> None:
    """And again when the hub does not know the model any more; pods without a name cannot."""
    world.tell_nothing()
    world.swap(serving(world, own={"provider": service(world, "three")}))
    before = asked(world)
    assert world.served_by() == "main/llama"
    assert since(world, before) == {"one": 0, "two": 0, "three": 1, "dear": 0}
    world.tell(one=0)
    assert [world.served_by() for _ in range(5)] == ["main/llama"] * 5
    assert since(world, before) == {"one": 5, "two": 0, "three": 1, "dear": 0}
    world.tell_nothing()
    assert world.served_by() == "main/llama"
    assert since(world, before)["three"] == 2


def test_nothing_to_call_is_said(world: EndpointWorld) -> None:
    """Alone in its route and without an engine: 503, what is wrong, and when to come back."""
    world.tell("Absent")
    assert world.served_by() == "main/dear"
    world.swap(serving(world, alone=True))
    answer = world.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_endpoint")
    assert "main/llama has no ready endpoint" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"] == "5"
    record = world.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert record["candidates"][0]["filtered"] == "no_endpoint"


def test_an_error_goes_to_another_endpoint_and_no_further_where_the_route_says_so(
    world: EndpointWorld,
) -> None:
    """`onError: false` keeps a call at its model, whose endpoints are all tried."""
    world.swap(overflowing(world, onError=False))
    world.script("one", {"status": 500})
    world.script("two", {"status": 500})
    before = asked(world)
    for _ in range(6):
        assert world.served_by() == "main/llama"
    world.script("three", {"status": 500})
    answer = world.chat()
    assert answer.status_code == 502
    assert since(world, before)["dear"] == 0


@pytest.mark.parametrize(("price", "cost"), [(0, 0), (11_574, 11_574)])
def test_gpu_hours_are_booked(world: EndpointWorld, price: int, cost: int) -> None:
    """Reserved accelerators cost nothing more a token, used ones their share of the hour."""
    pricing = {"input": price, "output": price, "source": "gpuHour"}
    world.swap(serving(world, own={"pricing": pricing}))
    answer = world.chat(max_tokens=20)
    tokens = answer.json()["usage"]["total_tokens"]
    assert tokens > 1
    found = world.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert (found["model"], found["cost"]) == ("main/llama", tokens * cost)
    assert found["usage"]["input"] + found["usage"]["output"] == tokens
    assert found["prices"] == {"input": price, "cachedInput": price, "output": price}

    def booked() -> list[dict[str, Any]]:
        rows = [row for each in world.hub.syncs for row in each.get("usage", [])]
        return [row for row in rows if row["model"] == "main/llama"]

    eventually(lambda: booked()[-1:] and booked()[-1]["cost"] >= tokens * cost)
    assert booked()[-1]["requests"] > 0


@pytest.fixture
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointWorld]:
    """One whose parts may be killed."""
    with endpoint_world(tmp_path_factory.mktemp("doomed")) as made:
        made.tell(one=0, two=0, three=0)
        yield made


def test_an_engine_killed_in_mid_load_fails_no_call_that_had_not_begun(
    doomed: EndpointWorld,
) -> None:
    """Its calls go on at the others; streams that had begun are cut honestly, none in silence."""
    for name in ENGINES:
        doomed.script(name, SLOW)

    def ask(number: int) -> tuple[bool, str]:
        if number % 2:
            answer = doomed.chat()
            return answer.status_code == 200, answer.text
        stream = doomed.stream()
        begun = stream.broken and bool(stream.text) and stream.error is not None
        return whole(stream) or begun, stream.raw.decode()

    with ThreadPoolExecutor(8) as callers:
        running = [callers.submit(ask, number) for number in range(120)]
        eventually(lambda: doomed.asked("one") >= 10)
        doomed.providers["one"].kill()
        ended = [each.result() for each in running]
    assert [said for fine, said in ended if not fine] == []
    assert doomed.asked("dear") == 0
    seen = doomed.seen()
    assert seen[doomed.url("one")]["failed"] > 0
    assert seen[doomed.url("one")]["failed"] < 20, "it rested instead of being asked each time"
    doomed.tell(two=0, three=0)
    assert all(doomed.served_by() == "main/llama" for _ in range(5))


def test_another_start_without_the_hub_finds_its_endpoints(doomed: EndpointWorld) -> None:
    """The kept table and fleet serve, however loaded the engines were."""
    doomed.tell(one=FULL, two=0)
    eventually(lambda: doomed.kept() == doomed.levels())
    doomed.restart()
    assert doomed.levels() == {doomed.url("one"): 0, doomed.url("two"): 0}
    before = asked(doomed)
    for _ in range(20):
        assert doomed.served_by() == "main/llama"
    counts = since(doomed, before)
    assert counts["one"] + counts["two"] == 20
    assert min(counts["one"], counts["two"]) > 0
