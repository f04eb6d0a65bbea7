"""The end of a budget: nothing is spent beyond it, nothing is refused before it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from openai import OpenAI, RateLimitError

from support.asking import Apps, Got, ask
from support.eventually import eventually
from support.money_world import CENT, DEAR, DOLLAR, MoneyWorld, a_budget, say
from support.tables import PRICES

CALLERS = 50
CAP = 800
"""Answer tokens a call: about a twentieth of a cent."""


async def ask_all(world: MoneyWorld, *, stream: bool, tokens: int) -> list[Got]:
    """Fifty callers at once, over all sidecars in turn."""
    urls = [sidecar.url for sidecar in world.sidecars.values()]
    # Paced, so that a cut can reach the provider before it has sent all it has.
    do = {"outputTokens": tokens, "tokensPerSecond": 400 if stream else 0}
    async with Apps(world) as http:
        calls = (
            ask(http, urls[n % len(urls)], stream=stream, max_tokens=CAP, do=do)
            for n in range(CALLERS)
        )
        return await asyncio.gather(*calls)


async def leave_one_cent(world: MoneyWorld, *sidecars: str) -> int:
    """A Budget with something spent and a cent left; the limit."""
    world.put(a_budget(DOLLAR))
    for name in sidecars:
        world.start_sidecar(name)
    async with Apps(world) as http:
        url = world.sidecars[sidecars[0]].url
        assert (await ask(http, url, max_tokens=CAP, do={"outputTokens": CAP})).whole
    limit = world.billed() + CENT
    world.reach(world.put(a_budget(limit)))
    return limit


def dearest_reservation(world: MoneyWorld, got: list[Got]) -> int:
    """The most that one of the calls reserved, from the records."""
    reserved = 0
    for one in (one for one in got if one.whole and "x-pointsman-capped" not in one.headers):
        for sidecar in world.sidecars.values():
            url = f"{sidecar.admin_url}/debug/decisions/{one.request_id}"
            answer = httpx.get(url)
            if answer.status_code == httpx.codes.OK:
                reserved = max(reserved, answer.json()["reserved"])
    return reserved


def assert_native(got: list[Got]) -> None:
    """Refusals are OpenAI's own, name the Budget and when it resets."""
    for one in got:
        assert one.refused, one
        assert one.error["type"] == "insufficient_quota"
        assert one.code == "insufficient_quota"
        assert "demo/team" in one.error["message"]
        assert "T00:00:00" in one.error["message"], one.error["message"]


@pytest.mark.parametrize("sidecars", [("a",), ("a", "b", "c")], ids=["one", "three"])
@pytest.mark.parametrize("tokens", [CAP, 40], ids=["dear", "cheap"])
async def test_fifty_callers_and_one_cent(
    world: MoneyWorld, sidecars: tuple[str, ...], tokens: int
) -> None:
    """The bill stays within the limit, the cent is used, and refusals are native and true."""
    limit = await leave_one_cent(world, *sidecars)
    got = await ask_all(world, stream=False, tokens=tokens)
    served = [one for one in got if one.whole]
    assert_native([one for one in got if not one.whole])
    dearest = dearest_reservation(world, got)
    say(f"{len(served)} served of {CALLERS}, dearest reservation {dearest / CENT:.3f} cents")
    assert len(served) >= min(CALLERS, CENT // dearest)
    await spend_the_rest(world, limit, dearest)
    world.finish()
    assert world.billed() <= limit
    assert world.booked() == world.billed()


async def spend_the_rest(world: MoneyWorld, limit: int, dearest: int) -> None:
    """One caller after the other asks for what is left; a refusal of what would fit is false."""
    do = {"outputTokens": CAP}
    async with Apps(world) as http:
        for sidecar in world.sidecars.values():
            for _ in range(CALLERS):
                left = limit - world.billed()
                got = await ask(http, sidecar.url, max_tokens=CAP, do=do)
                if not got.whole:
                    assert_native([got])
                    assert left < dearest, f"{left} left, {dearest} needed: {got.error}"
                    break
            else:
                pytest.fail("the cent never ends")


@pytest.mark.parametrize("sidecars", [("a",), ("a", "b", "c")], ids=["one", "three"])
async def test_fifty_streams_and_one_cent(world: MoneyWorld, sidecars: tuple[str, ...]) -> None:
    """Whoever is admitted finishes, the cent is used, nothing is overspent, refusals are native."""
    limit = await leave_one_cent(world, *sidecars)
    got = await ask_all(world, stream=True, tokens=CAP)
    served = [one for one in got if one.whole]
    cut = [one for one in got if one.status == httpx.codes.OK and not one.whole]
    assert not cut, f"{len(cut)} were admitted and starved: {cut[0]}"
    assert_native([one for one in got if not one.whole])
    dearest = dearest_reservation(world, got)
    say(f"{len(served)} served of {CALLERS}, dearest reservation {dearest / CENT:.3f} cents")
    assert len(served) >= min(CALLERS, CENT // dearest)
    await spend_the_rest(world, limit, dearest)
    world.finish()
    assert world.billed() <= limit
    assert world.booked() == world.billed()


def test_a_cut_stream_raises_the_sdks_error(world: MoneyWorld) -> None:
    """A stream whose Budget is lowered under it is cut: the SDK raises its error in mid-answer."""
    world.put(a_budget(DOLLAR))
    url = world.start_sidecar().url
    do = {"outputTokens": 9000, "tokensPerSecond": 2000}
    with OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as sdk:
        stream = sdk.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": "Tell me everything."}],
            stream=True,
            extra_headers={"user-agent": world.scripted(do)},
        )
        next(stream)
        world.put(a_budget(CENT // 10))
        with pytest.raises(Exception, match="demo/team") as raised:
            for _ in stream:
                pass
    assert type(raised.value).__module__.startswith("openai")
    eventually(lambda: world.sim.stats()["open"] == 0)
    assert world.billed() < 9000 * PRICES["output"], "it was cut before its end"
    world.finish()
    assert world.booked() >= world.billed()


async def test_a_cap_of_128000_with_one_dollar_left(world: MoneyWorld) -> None:
    """The affordable cap is spliced and said, the answer is whole, the bill within the dollar."""
    large: dict[str, Any] = {"pricing": {**DEAR, "source": "pool", "asOf": "2026-01-01"}}
    large |= {"maxOutputTokens": 128_000, "contextWindow": 400_000}
    world.put(a_budget(DOLLAR), names=("dear",), dear=large)
    url = world.start_sidecar().url
    async with Apps(world) as http:
        got = await ask(http, url, max_tokens=128_000, do={"outputTokens": 128_000})
    assert got.whole
    assert 99_000 < int(got.headers["x-pointsman-capped"]) < 100_000
    assert DOLLAR * 99 // 100 < world.billed() <= DOLLAR


async def test_a_call_without_a_cap_gets_the_budgets(world: MoneyWorld) -> None:
    """Under Enforce `defaultMaxTokens` is spliced, said, and obeyed by the provider."""
    world.put(a_budget(DOLLAR, enforcement={"defaultMaxTokens": 64}))
    url = world.start_sidecar().url
    async with Apps(world) as http:
        got = await ask(http, url, do={"outputTokens": 5000})
    assert got.whole
    assert got.headers["x-pointsman-capped"] == "64"
    assert world.sim.bill()[f"{got.request_id}.1"]["output"] == 64


async def test_less_than_the_least_answer_is_refused_natively(world: MoneyWorld) -> None:
    """Where the rest pays a prompt but no answer worth it, the SDK raises its quota error."""
    world.put(a_budget(30 * PRICES["output"]))
    url = world.start_sidecar().url
    with (
        OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as sdk,
        pytest.raises(RateLimitError, match="demo/team") as raised,
    ):
        sdk.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "x" * 20}], max_tokens=1000
        )
    assert raised.value.code == "insufficient_quota"
    assert world.sim.bill() == {}
