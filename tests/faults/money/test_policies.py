"""What Budgets do besides ending: thresholds, audit, several at once, headers, removal."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from support.asking import Apps, Got, ask
from support.eventually import eventually
from support.money_world import CENT, MoneyWorld, a_budget
from support.tables import route

COST: dict[str, Any] = {"max_tokens": 500, "do": {"outputTokens": 500}}
"""A call of about three hundredths of a cent."""
STEPS = [
    {"percent": 50, "action": "Notify"},
    {"percent": 80, "action": "Downgrade", "maxTier": 1},
    {"percent": 100, "action": "Block"},
]


def headers_of(team: str) -> dict[str, Any]:
    """A subject that takes calls with that header."""
    header = {"name": "x-team", "values": [team]}
    return {"namespaces": [], "workloads": [], "models": [], "header": header}


async def spend_to_the_end(world: MoneyWorld, most: int = 200) -> list[Got]:
    """One call after the other until one is refused."""
    url = world.sidecars["a"].url
    got: list[Got] = []
    async with Apps(world) as http:
        while len(got) < most and (not got or got[-1].whole):
            got.append(await ask(http, url, **COST))
    return got


async def start_and_spend(world: MoneyWorld, most: int = 200) -> list[Got]:
    """The same through a new sidecar."""
    world.start_sidecar()
    return await spend_to_the_end(world, most)


async def test_thresholds_act_at_their_share(world: MoneyWorld) -> None:
    """At 80 % only tiers up to `maxTier` are left, at 100 % nothing; 50 % only notifies."""
    budget = a_budget(CENT, thresholds=STEPS)
    rules = [{"name": "all", "when": {"models": ["auto"]}, "route": route("cheap", "gpt")}]
    upper = {"tier": 3}
    world.put(budget, names=("cheap", "gpt"), cheap=upper, rules=rules)
    got = await start_and_spend(world)
    models = [one.headers.get("x-pointsman-model") for one in got[:-1]]
    switch = models.index("main/gpt")
    bill = world.sim.bill()
    costs = [bill[f"{one.request_id}.1"]["cost"] for one in got[:-1]]
    assert set(models[:switch]) == {"main/cheap"}
    assert set(models[switch:]) == {"main/gpt"}
    before = sum(costs[: switch - 1])
    assert before < CENT * 80 // 100, "downgraded only after 80 % were spent"
    assert sum(costs[:switch]) + max(costs) >= CENT * 80 // 100, "downgraded too early"
    assert got[-1].refused
    assert world.billed() <= CENT
    world.finish()
    assert world.booked() == world.billed()


async def test_notify_alone_never_refuses_below_the_limit(world: MoneyWorld) -> None:
    """A Budget whose thresholds only notify still ends at its limit, where the money ends."""
    world.put(a_budget(CENT, thresholds=[{"percent": 10, "action": "Notify"}]))
    got = await start_and_spend(world)
    assert got[-1].refused
    assert CENT * 9 // 10 < world.billed() <= CENT


async def test_a_block_below_the_limit_keeps_the_rest(world: MoneyWorld) -> None:
    """`Block` at 40 % ends the window there."""
    world.put(a_budget(CENT, thresholds=[{"percent": 40, "action": "Block"}]))
    got = await start_and_spend(world)
    assert got[-1].refused
    assert CENT * 3 // 10 < world.billed() <= CENT * 4 // 10


async def test_audit_counts_and_never_refuses(world: MoneyWorld) -> None:
    """Far beyond the limit every call is served, and the ledger knows what all of them cost."""
    world.put(a_budget(CENT // 10, enforcement={"mode": "Audit"}))
    got = await start_and_spend(world, most=20)
    assert all(one.whole for one in got)
    world.finish()
    assert world.billed() > CENT // 10
    assert world.booked() == world.billed()
    assert world.balances()[0]["overrun"] == world.billed() - CENT // 10


async def test_two_budgets_both_pass_or_none_is_charged(world: MoneyWorld) -> None:
    """When one of them is spent the call is refused and the other one is not charged."""
    world.put(a_budget(CENT // 4, "small"), a_budget(CENT, "large"))
    got = await start_and_spend(world)
    assert got[-1].refused
    assert "demo/small" in got[-1].error["message"]
    world.finish()
    small, large = world.booked("demo/small/day"), world.booked("demo/large/day")
    assert small == large == world.billed() <= CENT // 4


async def test_a_header_names_who_pays(world: MoneyWorld) -> None:
    """Each value has its own Budget; calls without the header are bound by neither."""
    blue = a_budget(CENT // 10, "blue", subject=headers_of("blue"))
    red = a_budget(CENT, "red", subject=headers_of("red"))
    world.put(blue, red)
    url = world.start_sidecar().url
    paid = {"red": 0, "": 0, "blue": 0}
    async with Apps(world) as http:
        for team in ("red", "", "blue"):
            before = world.billed()
            for _ in range(10):
                sent = {"x-team": team} if team else {}
                got = await ask(http, url, **COST, headers=sent)
                assert got.whole or team == "blue", got
            paid[team] = world.billed() - before
    assert got.refused
    world.finish()
    assert world.booked("demo/red/day") == paid["red"]
    assert world.booked("demo/blue/day") == paid["blue"] <= CENT // 10


async def test_a_budget_removed_and_put_back_keeps_its_counters(world: MoneyWorld) -> None:
    """While it is gone nothing is bound; when it is back what was spent before still counts."""
    world.put(a_budget(CENT))
    url = world.start_sidecar().url
    async with Apps(world) as http:
        assert (await ask(http, url, **COST)).whole
        first = world.billed()
        world.reach(world.put())
        assert (await ask(http, url, **COST)).whole
        unbound = world.billed() - first
        world.reach(world.put(a_budget(CENT)))
        assert (await ask(http, url, **COST)).whole
    world.finish()
    assert world.booked() == world.billed() - unbound
    assert world.balances()[0]["leased"] == 0


@pytest.mark.parametrize("amount", [CENT // 4, CENT * 2])
async def test_a_changed_amount_counts_at_once(world: MoneyWorld, amount: int) -> None:
    """Lowered below what is spent it refuses, raised it goes on; nothing is forgotten."""
    world.put(a_budget(CENT // 2))
    world.start_sidecar()
    await spend_to_the_end(world)
    spent = world.billed()
    world.reach(world.put(a_budget(amount)))
    got = await spend_to_the_end(world)
    world.finish()
    if amount < spent:
        assert [one.status for one in got] == [httpx.codes.TOO_MANY_REQUESTS]
    assert world.billed() <= max(spent, amount)
    assert world.billed() > amount * 9 // 10
    eventually(lambda: world.booked() == world.billed())
