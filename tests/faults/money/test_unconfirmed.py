"""Attempts that were given up after dispatch: in `spend` as in the Budget, beside the cost."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest
from typer.testing import CliRunner

from pointsman_operator.cli.application import APPLICATION
from support.asking import Apps, Got, ask
from support.eventually import eventually
from support.money_world import DOLLAR, DYING_HUB, MoneyWorld, a_budget
from support.tables import route

GIVEN_UP: dict[str, dict[str, Any]] = {
    "timed-out": {"firstTokenMs": 60_000},
    "cut-early": {"cutAtByte": 40},
    "bad-json": {"garbageAtEvent": 0},
    "cut-while-held-back": {"outputTokens": 40, "cutAtEvent": 4},
}
PROMPT = {"onLedgerUnavailable": "Allow", "outageHorizonSeconds": 6}
"""A short horizon makes renewals, and so reports, frequent."""
ROUNDS = 3
CALLS = 20
SHORT = {"firstTokenMs": 1000, "streamIdleMs": 30_000, "totalMs": 60_000}


def spend(world: MoneyWorld, by: str = "model") -> dict[str, Any]:
    """What `pointsman spend --json` prints."""
    command = ["spend", "--by", by, "--json", "--hub", world.hub.url]
    told = CliRunner().invoke(APPLICATION, [*command, "--state", str(world.hub.folder)])
    assert told.exit_code == 0, told.output
    document: dict[str, Any] = json.loads(told.stdout)
    return document


def assert_agrees(world: MoneyWorld) -> dict[str, dict[str, Any]]:
    """Spent and unconfirmed are the same in `spend` as in the Budget; the rows by name."""
    (row,) = world.balances()
    assert row["leased"] == 0
    for by in ("model", "provider", "workload", "team", "key", "endpoint"):
        total = spend(world, by)["total"]
        assert (total["cost"], total["unconfirmed"]) == (row["settled"], row["unconfirmed"])
    return {one["key"]: one for one in spend(world)["rows"]}


@pytest.mark.parametrize("kind", GIVEN_UP)
async def test_given_up_attempts_stand_under_their_own_model(world: MoneyWorld, kind: str) -> None:
    """The first model's attempt is unconfirmed, the second's answer is spent; it is one request."""
    once = {"maxAttempts": 3, "budgetPercent": 0, "minPerSecond": 0}
    to = route("gpt", "cheap", timeouts=SHORT, retries=once, holdBack={"tokens": 200})
    rules = [{"name": "all", "when": {}, "route": to}]
    world.put(a_budget(DOLLAR), names=("gpt", "cheap"), rules=rules)
    url = world.start_sidecar().url
    world.sim.script({"match": {"model": "gpt-2026"}, "do": GIVEN_UP[kind]})
    async with Apps(world) as http:
        got = await ask(http, url, stream=True, max_tokens=50)
    assert got.whole, got
    assert got.headers["x-pointsman-model"] == "main/cheap"
    world.finish()
    rows = assert_agrees(world)
    billed = {name.rpartition(".")[2]: row["cost"] for name, row in world.sim.bill().items()}
    assert rows["main/gpt"]["unconfirmed"] >= max(billed.get("1", 0), 1)
    assert rows["main/cheap"]["cost"] == billed["2"]
    assert (rows["main/gpt"]["cost"], rows["main/gpt"]["requests"]) == (0, 0)
    assert rows["main/cheap"]["cost"] > 0
    assert (rows["main/cheap"]["unconfirmed"], rows["main/cheap"]["requests"]) == (0, 1)


async def streaming(world: MoneyWorld, http: Apps) -> asyncio.Task[Got]:
    """A long stream that has begun."""
    do = {"outputTokens": 400, "tokensPerSecond": 20}
    url = world.sidecars["a"].url
    call = asyncio.create_task(ask(http, url, stream=True, max_tokens=500, do=do))
    await asyncio.to_thread(eventually, lambda: world.sim.stats()["open"] > 0)
    return call


async def test_calls_that_a_crash_cut_off_stand_under_no_name(world: MoneyWorld) -> None:
    """Their reservations are in `spend` after the restart, as they are in the Budget."""
    world.put(a_budget(DOLLAR))
    sidecar = world.start_sidecar()
    async with Apps(world) as http:
        assert (await ask(http, sidecar.url, max_tokens=50)).whole
        call = await streaming(world, http)
        sidecar.kill()
        await call
    world.start_sidecar()
    eventually(lambda: world.balances()[0]["unconfirmed"] > 0)
    world.finish()
    rows = assert_agrees(world)
    assert rows[""]["unconfirmed"] > 0
    assert (rows[""]["cost"], rows["main/gpt"]["unconfirmed"]) == (0, 0)


async def test_a_hub_killed_between_commit_and_answer_counts_nothing_twice(
    world: MoneyWorld,
) -> None:
    """The sidecar repeats what it never saw answered: each request is in `spend` once."""
    dying = world.folder / "die"
    world.hub.stop()
    world.hub.entry = [DYING_HUB, str(dying)]
    world.hub.start()
    world.put(a_budget(DOLLAR, enforcement=PROMPT))
    url = world.start_sidecar().url
    async with Apps(world) as http:
        for _ in range(ROUNDS):
            assert (await ask(http, url, max_tokens=20)).whole
            dying.touch()
            calls = [ask(http, url, max_tokens=2000) for _ in range(CALLS)]
            assert all(got.whole for got in await asyncio.gather(*calls))
            eventually(lambda: not world.hub.running, 40)
            assert world.hub.process.child.returncode == -signal.SIGKILL
            dying.unlink()
            world.hub.kill()
            world.hub.start()
    world.finish()
    assert world.booked() == world.billed()
    total = spend(world)["total"]
    bill = world.sim.bill()
    assert len(bill) == ROUNDS * (CALLS + 1)
    assert (total["requests"], total["cost"]) == (len(bill), world.billed())
