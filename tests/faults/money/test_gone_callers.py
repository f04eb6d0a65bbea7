"""Callers that leave, and providers that break off: what may be billed is booked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.asking import Apps, ask, body_of
from support.eventually import eventually
from support.money_world import DOLLAR, MoneyWorld, a_budget, say

LEAVES = 12


async def leave_early(http: Apps, url: str, after_s: float, *, stream: bool) -> None:
    """A caller that hangs up after a while, whatever it got by then."""
    do = {"outputTokens": 300, "tokensPerSecond": 400} if stream else {"delayMs": 400}
    body = body_of(stream=stream, max_tokens=400)
    headers = {"user-agent": http.scripted(do)}
    try:
        async with asyncio.timeout(after_s):
            await http.post(f"{url}/v1/chat/completions", json=body, headers=headers)
    except TimeoutError:
        return
    pytest.fail("it was meant to leave")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_callers_that_leave_are_booked_for_what_is_billed(
    world: MoneyWorld, *, stream: bool
) -> None:
    """At every moment of the call; the booking is never below the bill."""
    world.put(a_budget(DOLLAR))
    url = world.start_sidecar().url
    async with Apps(world) as http:
        leaving = (leave_early(http, url, 0.02 + n * 0.03, stream=stream) for n in range(LEAVES))
        await asyncio.gather(*leaving)
        assert (await ask(http, url, max_tokens=20)).whole
    eventually(lambda: world.sim.stats()["open"] == 0)
    world.finish()
    booked, billed = world.booked(), world.billed()
    say(f"booked {booked}, billed {billed}")
    assert booked >= billed > 0
    assert booked < LEAVES * 10**9, "more than all of them could have cost"
    assert sum(row["leased"] for row in world.balances()) == 0


@pytest.mark.parametrize(
    "do",
    [
        {"outputTokens": 200, "cutAtEvent": 20},
        {"outputTokens": 200, "cutAtEvent": 20, "cut": "eof"},
        {"outputTokens": 200, "errorAtEvent": 20},
        {"outputTokens": 200, "usage": None},
        {"outputTokens": 200, "cutAtByte": 40},
    ],
    ids=["reset", "eof", "error", "no-usage", "early"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_answers_that_break_off_are_booked_for_what_is_billed(
    world: MoneyWorld, do: dict[str, Any], *, stream: bool
) -> None:
    """An answer without usage or end is booked by its length, at or above the bill."""
    world.put(a_budget(DOLLAR))
    url = world.start_sidecar().url
    async with Apps(world) as http:
        got = await ask(http, url, stream=stream, max_tokens=400, do=do)
    eventually(lambda: world.sim.stats()["open"] == 0)
    world.finish()
    say(f"{got.status} {got.broken or 'whole'}: booked {world.booked()}, billed {world.billed()}")
    assert world.booked() >= world.billed()
    assert sum(row["leased"] for row in world.balances()) == 0
