"""The hub is away: calls go on inside the lease, then the Budget's policy decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.asking import Apps, Got, ask
from support.eventually import eventually
from support.money_world import CENT, DOLLAR, MoneyWorld, a_budget

AWAY_S = 10.0
SMALL: dict[str, Any] = {"max_tokens": 20, "do": {"outputTokens": 10}}


def started(world: MoneyWorld, policy: str, amount: int = DOLLAR) -> str:
    """A sidecar with a lease under that policy; its address."""
    # A short horizon makes renewals frequent, so that an idle sidecar notices soon.
    horizon = {} if policy == "SpendLease" else {"outageHorizonSeconds": 6}
    world.put(a_budget(amount, enforcement={"onLedgerUnavailable": policy, **horizon}))
    return world.start_sidecar().url


def notice_outage(world: MoneyWorld) -> None:
    """Kill the hub and wait until the sidecar knows."""
    world.hub.kill()
    eventually(lambda: world.sidecars["a"].state()["ledger_is_away"], AWAY_S)


async def until_refused(world: MoneyWorld, url: str, most: int = 3000) -> list[Got]:
    """Small calls until one is refused."""
    got: list[Got] = []
    async with Apps(world) as http:
        while len(got) < most and (not got or got[-1].whole):
            got.append(await ask(http, url, **SMALL))
    return got


async def test_calls_go_on_inside_the_lease_and_then_end(world: MoneyWorld) -> None:
    """`SpendLease`: what was leased is spent, then the native error names Budget and ledger."""
    url = started(world, "SpendLease", 10 * CENT)
    async with Apps(world) as http:
        assert (await ask(http, url, **SMALL)).whole
        world.hub.kill()
        got = await until_refused(world, url)
    assert len(got) > 1, "the lease was not used"
    last = got[-1]
    assert last.status == 429
    assert last.error["type"] == "insufficient_quota"
    assert "demo/team" in last.error["message"]
    assert "ledger" in last.error["message"]
    assert world.billed() <= 10 * CENT
    world.hub.start()
    eventually(lambda: world.sidecars["a"].state()["ledger_is_away"] is False, AWAY_S)
    async with Apps(world) as http:
        assert (await ask(http, url, **SMALL)).whole, "the hub is back"
    world.finish()
    assert world.booked() == world.billed()


async def test_a_killed_sidecar_goes_on_with_its_journaled_lease(world: MoneyWorld) -> None:
    """Started again while the hub is away it spends what is left, not more; the books are exact."""
    url = started(world, "SpendLease", 10 * CENT)
    async with Apps(world) as http:
        assert (await ask(http, url, **SMALL)).whole
    world.hub.kill()
    world.sidecars["a"].kill()
    got = await until_refused(world, world.start_sidecar().url)
    assert len(got) > 1, "the journaled lease was not used"
    assert got[-1].status == 429
    assert "ledger" in got[-1].error["message"]
    assert world.billed() <= 10 * CENT
    world.hub.start()
    eventually(lambda: world.sidecars["a"].state()["ledger_is_away"] is False, AWAY_S)
    async with Apps(world) as http:
        assert (await ask(http, world.sidecars["a"].url, **SMALL)).whole, "the hub is back"
    world.finish()
    assert world.booked() == world.billed()
    total = world.hub.http.get("/v1/spend", params={"by": "model"}).json()["total"]
    assert total["cost"] == world.billed()


async def test_deny_refuses_at_once(world: MoneyWorld) -> None:
    """`Deny`: with the ledger away even leased money stays where it is."""
    url = started(world, "Deny")
    async with Apps(world) as http:
        assert (await ask(http, url, **SMALL)).whole
        billed = world.billed()
        notice_outage(world)
        refused = await ask(http, url, **SMALL)
    assert refused.status == 429
    assert "ledger" in refused.error["message"]
    assert world.billed() == billed


async def test_allow_goes_on_and_books_it_later(world: MoneyWorld) -> None:
    """`Allow`: calls beyond the lease are served, and booked when the hub is back."""
    url = started(world, "Allow", CENT)
    async with Apps(world) as http:
        assert (await ask(http, url, **SMALL)).whole
        notice_outage(world)
        got = await asyncio.gather(*(ask(http, url, max_tokens=800) for _ in range(30)))
    assert all(one.whole for one in got), [one for one in got if not one.whole][:1]
    world.hub.start()
    world.finish()
    assert world.booked() == world.billed()
    assert sum(row["leased"] for row in world.balances()) == 0


async def test_a_sidecar_that_starts_without_the_hub_has_no_lease(world: MoneyWorld) -> None:
    """Under `SpendLease` a new pod's calls get the error that names the ledger; others go on."""
    header = {"name": "x-team", "values": ["blue"]}
    subject = {"namespaces": [], "workloads": [], "models": [], "header": header}
    world.put(a_budget(DOLLAR, subject=subject))
    world.start_sidecar()
    world.finish()
    world.hub.kill()
    url = world.start_sidecar().url
    async with Apps(world) as http:
        bound = await ask(http, url, **SMALL, headers={"x-team": "blue"})
        free = await ask(http, url, **SMALL)
    assert (bound.status, free.status) == (429, 200)
    assert "ledger" in bound.error["message"]


@pytest.mark.parametrize("policy", ["SpendLease", "Allow"])
async def test_an_outage_of_the_hub_books_nothing_twice(world: MoneyWorld, policy: str) -> None:
    """Reports that were sent before and after the outage count once, to the picodollar."""
    url = started(world, policy)
    async with Apps(world) as http:
        for _ in range(3):
            before = await asyncio.gather(*(ask(http, url, **SMALL) for _ in range(10)))
            world.hub.kill()
            during = await asyncio.gather(*(ask(http, url, **SMALL) for _ in range(10)))
            world.hub.start()
            assert all(one.whole for one in [*before, *during])
    world.finish()
    assert world.booked() == world.billed()
    total = world.hub.http.get("/v1/spend", params={"by": "key"}).json()["total"]
    assert (total["cost"], total["requests"]) == (world.billed(), 60)
