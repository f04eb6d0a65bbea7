"""Limits of models over real processes: a hub, sidecars, and a provider that judges for itself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.limited_world import (
    ACCOUNT,
    Load,
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
TOKENS = 6_000
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
    _assert_told(world, rows["requests"], load)


def _assert_told(world: MoneyWorld, row: dict[str, Any], load: Load) -> None:
    """Who holds it, what was used, waited and refused; the controller hears of it, too."""
    admitted = at_provider(world)["admitted"]
    assert abs(row["used"] - admitted) <= 0.1 * PER_MINUTE, (row, admitted)
    # Not all of them fail by the same limit; what the last second brought comes with the next.
    everywhere = [shares(world, unit) for unit in ("requests", "inFlight")]
    eventually(lambda: _refused(world) == load.statuses[429])
    assert sum(it["waited"] for it in everywhere) >= load.statuses[429]
    routers = shares(world, routers=True)["routers"]
    assert [it["sidecar"] for it in sorted(routers, key=lambda it: it["sidecar"])] == [
        *(f"sidecar-{name}" for name in "abc")
    ]
    assert sum(it["held"] for it in routers) == shares(world)["held"]
    eventually(lambda: "requestsPerMinute" in _strained(world), within_s=10)
    assert _strained(world)["requestsPerMinute"]["refusing_since"] > "2026"


def _strained(world: MoneyWorld) -> dict[str, dict[str, str]]:
    """What the controller is told, by the limit's field."""
    told = world.hub.http.get("/v1/fleet").json()["strained"]
    assert all((it["namespace"], it["pool"], it["model"]) == ("demo", "main", "gpt") for it in told)
    return {it["limit"]: it for it in told}


def _refused(world: MoneyWorld) -> int:
    """Calls that were refused for any limit, as the hub was told."""
    return sum(int(shares(world, unit)["refused"]) for unit in ("requests", "inFlight"))


def test_tokens_are_kept_to_as_well(tmp_path: Path) -> None:
    """Three times as many are asked for, by calls of all sizes: none too many, few left unused."""
    allowed, seconds = {"tokensPerMinute": TOKENS}, 18
    with money_world(tmp_path, limits={"gpt-2026": allowed}, pace={"firstTokenMs": 100}) as world:
        world.put(**limited(**allowed))
        urls = [world.start_sidecar(name).url for name in "ab"]

        async def mixed() -> list[Load]:
            # Some 30 and 120 tokens a call, most of which are its answer's.
            sizes = ((10, 0.025 * TOKENS / 60), (100, 0.02 * TOKENS / 60))
            return await asyncio.gather(
                *(
                    offered(urls, per_second=rate, seconds=seconds, max_tokens=most)
                    for most, rate in sizes
                )
            )

        loads = asyncio.run(mixed())
        seen = at_provider(world)
        row = shares(world, "tokens")
        statuses = sum((load.statuses for load in loads), Counter[int]())
        say(f"{dict(statuses)} {seen} {row}")
        assert (seen["refused"], [load.failures for load in loads]) == (0, [[], []])
        assert seen["tokens_most"] <= TOKENS
        assert seen["admitted_tokens"] >= 0.85 * TOKENS / 60 * seconds
        assert statuses[429] > 0
        assert row["refused"] > 0
        for load in loads:
            for refusal in load.refusals:
                assert_named(refusal, "tokens a minute", "limits.tokensPerMinute")


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
