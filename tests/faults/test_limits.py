"""Limits of models over real processes: a hub, sidecars, and a provider that judges for itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.eventually import eventually
from support.limited_world import (
    ACCOUNT,
    assert_named,
    at_provider,
    held,
    limited,
    offered,
    shares,
)
from support.money_world import MoneyWorld, money_world, say

pytestmark = pytest.mark.timeout(180)
PER_MINUTE = 600
AT_ONCE = 6
ALLOWED = {"requestsPerMinute": PER_MINUTE, "maxInFlight": AT_ONCE}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MoneyWorld]:
    """A provider whose answers take a fifth of a second."""
    limits = {"gpt-2026": ALLOWED, "cheap-2026": {}}
    pace = {"firstTokenMs": 200}
    with money_world(tmp_path, limits=limits, pace=pace) as made:
        yield made


def call(world: MoneyWorld, name: str = "a", model: str = "gpt") -> httpx.Response:
    """One call of one sidecar."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5}
    return httpx.post(f"{world.sidecars[name].url}/v1/chat/completions", json=body, timeout=30)


def test_a_fleet_keeps_to_what_its_provider_allows(world: MoneyWorld) -> None:
    """Three times as much is offered, unevenly: nothing is refused there, and little lies idle."""
    world.put(**limited(**ALLOWED))
    for name in "abc":
        world.start_sidecar(name)
    urls = [world.sidecars[name].url for name in "aaaabbc"]
    seconds = 20
    load = asyncio.run(offered(urls, per_second=30, seconds=seconds, max_tokens=5))
    seen = at_provider(world)
    say(f"{dict(load.statuses)} {seen}")
    assert (seen["refused"], load.failures) == (0, [])
    assert seen["open_most"] <= AT_ONCE
    assert seen["requests_most"] <= PER_MINUTE
    assert seen["admitted"] >= 0.85 * PER_MINUTE / 60 * seconds
    assert load.statuses[429] > 0
    for refusal in load.refusals:
        assert_named(refusal, "over all its routers")
    rows = {unit: shares(world, unit) for unit in ("requests", "inFlight")}
    for row in rows.values():
        assert row["held"] + row["resting"] + row["free"] == row["total"], rows


def test_who_needs_it_gets_what_others_do_not(world: MoneyWorld) -> None:
    """A share moves to the sidecar that is asked, as far as it has rested."""
    world.put(**limited(**ALLOWED))
    world.start_sidecar("a")
    eventually(lambda: held(world.sidecars["a"]) == PER_MINUTE // 2)
    world.start_sidecar("b")
    eventually(lambda: held(world.sidecars["b"]) > 0)
    asyncio.run(offered([world.sidecars["b"].url], per_second=20, seconds=6, max_tokens=5))
    assert held(world.sidecars["b"]) > 0.8 * PER_MINUTE, shares(world)
    assert at_provider(world)["refused"] == 0


def test_a_spent_share_sends_calls_to_the_next_candidate(world: MoneyWorld) -> None:
    """At once; and where `onSaturated` is off they wait instead."""
    document = limited(requestsPerMinute=2)
    world.put(names=("gpt", "cheap"), **document)
    sidecar = world.start_sidecar("a")
    eventually(lambda: held(sidecar) > 0)
    begun = time.monotonic()
    answers = [call(world, model="auto") for _ in range(5)]
    assert time.monotonic() - begun < 4
    models = [answer.headers["x-pointsman-model"] for answer in answers]
    assert set(models) == {"main/gpt", "main/cheap"}, models
    assert models[-1] == "main/cheap"
    assert at_provider(world)["admitted"] <= 2
    labels = 'model="main/gpt",provider="sim-gpt",reason="saturated"'
    assert sidecar.metric(f"pointsman_overflow_total{{{labels}}}") >= 2
    # By its own name there is no other.
    assert_named(call(world), "2 calls a minute", "limits.requestsPerMinute")


def test_a_share_lasts_while_the_hub_is_away(world: MoneyWorld) -> None:
    """Its holder goes on, and a hub that is back hands nothing out twice."""
    digest = world.put(**limited(**ALLOWED))
    world.start_sidecar("a")
    eventually(lambda: held(world.sidecars["a"]) == PER_MINUTE // 2)
    assert call(world).status_code == httpx.codes.OK
    world.hub.kill()
    for _ in range(10):
        assert call(world).status_code == httpx.codes.OK
    world.hub.start()
    # Nothing of it was lost, and who comes now gets of the rest, as soon as all have spoken.
    world.start_sidecar("b")
    eventually(lambda: held(world.sidecars["b"]) > 0, within_s=30)
    assert world.sidecars["b"].state()["digest"] == digest
    row = shares(world)
    assert held(world.sidecars["a"]) + held(world.sidecars["b"]) <= row["held"] <= row["total"]
    assert call(world, "b").status_code == httpx.codes.OK


def test_without_hub_and_share_a_call_is_told_so(world: MoneyWorld) -> None:
    """Within half a second: nobody can be asked."""
    world.put(**limited(requestsPerMinute=1))
    world.start_sidecar("a")
    world.start_sidecar("b")
    assert call(world).status_code == httpx.codes.OK
    world.hub.kill()
    eventually(lambda: world.sidecars["b"].state()["ledger"] != "ok")
    begun = time.monotonic()
    assert_named(call(world, "b"), "the hub cannot be asked")
    assert time.monotonic() - begun < 1.5


def test_what_a_killed_sidecar_held_rests_before_it_is_handed_out(world: MoneyWorld) -> None:
    """It may have used all of it: for a minute nobody else does."""
    world.put(**limited(**ALLOWED))
    sidecar = world.start_sidecar("a")
    asyncio.run(offered([sidecar.url], per_second=20, seconds=5, max_tokens=5))
    before = held(sidecar)
    assert before > PER_MINUTE // 2
    sidecar.kill()
    world.start_sidecar("a")
    eventually(lambda: shares(world)["resting"] >= before)
    row = shares(world)
    assert row["held"] + row["resting"] <= PER_MINUTE, row
    asyncio.run(offered([world.sidecars["a"].url], per_second=30, seconds=5, max_tokens=5))
    seen = at_provider(world)
    assert (seen["refused"], seen["requests_most"] <= PER_MINUTE) == (0, True), seen


def test_a_limit_that_is_gone_is_given_back(world: MoneyWorld) -> None:
    """A table without it frees its calls; its share is no longer held."""
    world.put(**limited(requestsPerMinute=2))
    sidecar = world.start_sidecar("a")
    eventually(lambda: held(sidecar) > 0)
    digest = world.put()
    eventually(lambda: sidecar.state()["digest"] == digest)
    assert [call(world).status_code for _ in range(4)] == [200] * 4
    assert ACCOUNT not in sidecar.state()["limits"]
    assert world.hub.http.get("/v1/limits").json() == []
