"""A deleted policy: its sidecars learn of it, refuse honestly, and give their money back."""

from __future__ import annotations

from typing import Any

import httpx

from support.asking import Apps, Got, ask
from support.eventually import eventually
from support.hub_process import FENCE
from support.money_world import DOLLAR, MoneyWorld, a_budget
from support.processes import canonical
from support.tables import model, table

SMALL: dict[str, Any] = {"max_tokens": 20, "do": {"outputTokens": 10}}


def delete(world: MoneyWorld, policy: str) -> None:
    """As the controller does it."""
    path = f"/v1/tables/demo/{policy}"
    assert world.hub.http.delete(path, headers=FENCE).status_code == httpx.codes.OK


async def one(world: MoneyWorld) -> Got:
    """One call through the sidecar."""
    async with Apps(world) as http:
        return await ask(http, world.sidecars["a"].url, **SMALL)


def changed(world: MoneyWorld, digest: str) -> str:
    """The digest that the sidecar serves once it is no longer that one."""
    sidecar = world.sidecars["a"]
    eventually(lambda: sidecar.state()["digest"] != digest)
    return str(sidecar.state()["digest"])


async def test_a_deleted_policy_ends_at_its_sidecars(world: MoneyWorld) -> None:
    """503 `no_policy` names it, its lease returns, the hub shows it; put again, it serves."""
    first = world.put(a_budget(DOLLAR))
    world.start_sidecar()
    assert (await one(world)).whole
    billed = world.billed()
    delete(world, "test")
    ended = changed(world, first)
    refused = await one(world)
    assert (refused.status, refused.code) == (httpx.codes.SERVICE_UNAVAILABLE, "no_policy")
    assert "demo/test" in refused.error["message"]
    assert world.billed() == billed
    eventually(lambda: world.hub.http.get("/v1/sidecars").json()[0]["digest"] == ended)
    eventually(lambda: sum(row["leased"] for row in world.balances()) == 0)
    world.reach(world.put(a_budget(DOLLAR)))
    assert (await one(world)).whole
    world.finish()
    assert world.booked() == world.billed()


async def test_what_was_deleted_meanwhile_does_not_come_back(world: MoneyWorld) -> None:
    """A sidecar that was down has its last good table, and is told also by a restarted hub."""
    first = world.put()
    world.start_sidecar().kill()
    delete(world, "test")
    world.hub.kill()
    world.hub.start()
    sidecar = world.start_sidecar()
    ended = changed(world, first)
    assert (await one(world)).code == "no_policy"
    sidecar.kill()
    assert world.start_sidecar().state()["digest"] == ended


async def test_the_policy_that_is_left_serves_instead(world: MoneyWorld) -> None:
    """The only other one of the namespace takes over."""
    first = world.put()
    world.start_sidecar()
    other = table([model("cheap", world.sim.url)]) | {"policy": {"namespace": "demo", "name": "b"}}
    wanted = world.hub.put_table(canonical(other), "b")
    assert (await one(world)).headers["x-pointsman-model"] == "main/gpt"
    delete(world, "test")
    assert changed(world, first) == wanted
    assert (await one(world)).headers["x-pointsman-model"] == "main/cheap"
