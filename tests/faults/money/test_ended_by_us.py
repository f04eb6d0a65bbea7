"""Calls that we end ourselves, at the drain's end or at their total: what they cost is settled."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

from support.asking import Apps, Got, ask, body_of
from support.eventually import eventually
from support.money_world import DOLLAR, MoneyWorld, a_budget
from support.processes import Sidecar
from support.tables import route
from support.unread import ask_and_read_nothing, call_id_of

CALLS = 4


async def asked_until_the_end(world: MoneyWorld, do: dict[str, Any], *, stream: bool) -> list[Got]:
    """Calls that a drain of one second is too short for; what each caller got."""
    world.put(a_budget(DOLLAR))
    sidecar = world.start_sidecar(POINTSMAN_DRAIN_SECONDS="1")
    async with Apps(world) as http:
        calls = [
            asyncio.create_task(ask(http, sidecar.url, stream=stream, max_tokens=4000, do=do))
            for _ in range(CALLS)
        ]
        await asyncio.to_thread(eventually, lambda: world.sim.stats()["open"] == CALLS)
        await asyncio.to_thread(world.finish)
        return await asyncio.gather(*calls)


def check_record(world: MoneyWorld, got: Got, expected: tuple[str, str, int]) -> dict[str, Any]:
    """The hub has the record of a call, and it says why it ended."""
    answer = world.hub.http.get(f"/v1/decisions/{got.request_id}")
    record: dict[str, Any] = answer.raise_for_status().json()
    assert (record["outcome"], record["class"], record["status"]) == expected
    assert "drainSeconds" in record["reason"]
    return record


def check_money(world: MoneyWorld) -> None:
    """Nothing is held any more, nothing is in doubt, and no bill is above what was booked."""
    eventually(lambda: world.sim.stats()["open"] == 0)
    assert world.booked() >= world.billed()
    (balance,) = world.balances()
    assert (balance["leased"], balance["unconfirmed"]) == (0, 0)
    assert balance["settled"] > 0


async def test_a_stream_that_the_drain_cuts_is_recorded_as_cut_and_settled(
    world: MoneyWorld,
) -> None:
    """The caller is told; the record says cut; the ledger knows the sum before the process ends."""
    do = {"outputTokens": 3000, "tokensPerSecond": 20}
    for got in await asked_until_the_end(world, do, stream=True):
        assert got.broken
        assert got.code == "shutting_down"
        record = check_record(world, got, ("cut", "MidStream", 200))
        assert record["attempts"][-1]["class"] == "MidStream"
        assert record["usage"]["source"] == "estimated"
        billed = world.sim.bill()[f"{got.request_id}.1"]
        assert record["usage"]["output"] >= billed["output"] > 0
    check_money(world)


async def test_a_plain_call_that_the_drain_ends_is_answered_and_settled(world: MoneyWorld) -> None:
    """It is told 503; what its provider may bill is booked."""
    for got in await asked_until_the_end(world, {"delayMs": 20_000}, stream=False):
        assert (got.status, got.code) == (503, "shutting_down")
        check_record(world, got, ("refused", "Shed", 503))
    check_money(world)


async def test_a_caller_that_reads_nothing_gives_its_reservation_back(world: MoneyWorld) -> None:
    """Cut at `timeouts.total`, its stream is settled: no cent stays reserved for it."""
    timeouts = {"firstTokenMs": 10_000, "streamIdleMs": 10_000, "totalMs": 3000}
    rules = [{"name": "all", "when": {}, "route": route("gpt", timeouts=timeouts)}]
    world.put(a_budget(DOLLAR), rules=rules, gpt={"maxOutputTokens": 100_000})
    sidecar = world.start_sidecar()
    world.sim.script({"match": {}, "do": {"text": "word " * 40_000}})
    body = body_of(stream=True, max_tokens=50_000)
    with closing(ask_and_read_nothing(sidecar.url, body)) as peer:
        own = await asyncio.to_thread(call_id_of, peer)
        await asyncio.to_thread(eventually, lambda: reserved(sidecar) == 0)
        assert sidecar.state()["in_flight"] == 0
    await asyncio.to_thread(world.finish)
    record = world.hub.http.get(f"/v1/decisions/{own}").json()
    assert (record["outcome"], record["class"]) == ("cut", "MidStream")
    (balance,) = world.balances()
    assert (balance["leased"], balance["unconfirmed"]) == (0, 0)
    assert balance["settled"] > 0


def reserved(sidecar: Sidecar) -> int:
    """What calls in flight hold of the Budget."""
    return int(sidecar.state()["money"]["demo/team/day"]["reserved"])
