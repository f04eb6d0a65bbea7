"""What ended is booked as it was billed: to the picodollar, once, under everybody's name."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import httpx

from support.asking import Apps, Got, ask
from support.money_world import DOLLAR, MoneyWorld, a_budget

TEAMS = ("blue", "red")
WEATHER = {"name": "weather", "arguments": {"city": "Oslo"}}
CACHED = {
    "prompt_tokens": 900,
    "completion_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 800},
}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"outputTokens": 30},
    "tools": {"toolCalls": [WEATHER, WEATHER]},
    "cached": {"usage": CACHED},
    "long": {"outputTokens": 400},
}


@dataclass(frozen=True)
class Asked:
    """A call and under which names it counts."""

    got: Got
    model: str
    team: str
    key: str


async def ask_everything(world: MoneyWorld, sidecar: str) -> list[Asked]:
    """Every kind, plain and streamed, on two models, for two teams with a key each; at once."""
    url = world.sidecars[sidecar].url
    async with Apps(world) as http:

        async def one(model: str, team: str, kind: str, *, stream: bool) -> Asked:
            headers = {"x-pointsman-team": team, "x-pointsman-key": f"key-{team}"}
            got = await ask(
                http,
                url,
                stream=stream,
                max_tokens=500,
                model=model,
                do=KINDS[kind],
                headers=headers,
            )
            return Asked(got, model, team, f"key-{team}")

        return await asyncio.gather(
            *(
                one(model, team, kind, stream=stream)
                for model in ("main/gpt", "main/cheap")
                for team in TEAMS
                for kind in KINDS
                for stream in (False, True)
            )
        )


async def test_the_ledger_equals_the_bill(world: MoneyWorld) -> None:
    """Each ended call's record, the Budget and every way of `spend` say what the bill says."""
    world.put(a_budget(DOLLAR), names=("gpt", "cheap"))
    for name in ("a", "b"):
        world.start_sidecar(name)
    asked = [*await ask_everything(world, "a"), *await ask_everything(world, "b")]
    assert all(one.got.whole for one in asked), [one.got for one in asked if not one.got.whole]
    bill = world.sim.bill()
    for place, one in enumerate(asked):
        name = "a" if place < len(asked) // 2 else "b"
        entry = bill[f"{one.got.request_id}.1"]
        record = world.sidecars[name].record(one.got.request_id)
        assert record["cost"] == entry["cost"]
        assert entry["end"]
    world.finish()
    assert len(bill) == len(asked)
    assert world.booked() == world.billed()
    assert sum(row["unconfirmed"] + row["leased"] for row in world.balances()) == 0
    for by in ("model", "provider", "workload", "team", "key", "endpoint"):
        assert spend_of(world, by) == grouped(world, asked, by)


async def test_embeddings_and_calls_without_a_budget_are_counted(world: MoneyWorld) -> None:
    """`spend` needs no Budget, and embeddings cost their prompt alone."""
    world.put()
    url = world.start_sidecar().url
    async with Apps(world) as http:
        body = {"model": "main/gpt", "input": ["one", "two and a half"]}
        embedded = await http.post(f"{url}/v1/embeddings", json=body)
        assert embedded.status_code == httpx.codes.OK
        assert (await ask(http, url, max_tokens=10)).whole
    world.finish()
    rows = world.hub.http.get("/v1/spend", params={"by": "endpoint"}).json()
    assert {row["key"] for row in rows["rows"]} == {"chat", "embeddings"}
    assert rows["total"]["cost"] == world.billed() > 0


async def test_failed_attempts_cost_what_the_provider_bills(world: MoneyWorld) -> None:
    """A call that falls back is booked once, for the answer that it got."""
    world.put(a_budget(DOLLAR), names=("gpt", "cheap"))
    url = world.start_sidecar().url
    world.sim.script({"match": {"model": "gpt-2026"}, "do": {"status": 500}})
    async with Apps(world) as http:
        got = await ask(http, url, max_tokens=50)
    assert got.headers["x-pointsman-model"] == "main/cheap"
    world.finish()
    (billed,) = world.sim.bill().values()
    assert billed["id"].startswith(got.request_id)
    (row,) = world.balances()
    assert row["settled"] == billed["cost"] == world.billed()


def spend_of(world: MoneyWorld, by: str) -> dict[str, tuple[int, int, int, int]]:
    """`/v1/spend`: requests, tokens in and out, cost, by group."""
    rows = world.hub.http.get("/v1/spend", params={"by": by}).json()["rows"]
    columns = ("requests", "input_tokens", "output_tokens", "cost")
    return {row["key"]: tuple(row[column] for column in columns) for row in rows}


def grouped(world: MoneyWorld, asked: list[Asked], by: str) -> dict[str, tuple[int, int, int, int]]:
    """The same from the bill, joined on the request id."""
    bill = world.sim.bill()
    sums: defaultdict[str, tuple[int, int, int, int]] = defaultdict(lambda: (0, 0, 0, 0))
    for one in asked:
        entry = bill[f"{one.got.request_id}.1"]
        provider = one.model.replace("main/", "sim-")
        names = {"model": one.model, "provider": provider, "team": one.team, "key": one.key}
        group = (names | {"workload": "app", "endpoint": "chat"})[by]
        added = (1, entry["input"], entry["output"], entry["cost"])
        before = sums[group]
        sums[group] = tuple(a + b for a, b in zip(before, added, strict=True))
    return dict(sums)
