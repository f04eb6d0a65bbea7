"""A Budget's refusal says what is the matter: too large a request is not a spent Budget."""

from __future__ import annotations

from typing import Any

from support.asking import Apps, ask
from support.eventually import eventually
from support.money_world import CENT, DOLLAR, MoneyWorld, a_budget

SMALL: dict[str, Any] = {"max_tokens": 500, "do": {"outputTokens": 500}}
TINY = 100_000
"""A ten-millionth of a dollar: less than the prompt of any call."""


async def test_a_request_larger_than_the_whole_limit_is_told_so(world: MoneyWorld) -> None:
    """The code is not that of a spent Budget; the Budget named is the one that it exceeds."""
    world.put(a_budget(DOLLAR), a_budget(TINY, name="tiny"))
    url = world.start_sidecar().url
    async with Apps(world) as http:
        got = await ask(http, url, **SMALL)
    assert (got.status, got.code) == (429, "request_exceeds_budget")
    assert got.error["type"] == "insufficient_quota"
    assert "limit day (0.0000001 USD) of Budget demo/tiny" in got.error["message"]
    assert "used up" not in got.error["message"]
    world.finish()
    assert world.billed() == world.booked() == 0


async def test_a_block_below_the_limit_is_not_called_used_up(world: MoneyWorld) -> None:
    """At 20 % the Budget blocks: most of it is left, and the message does not deny it."""
    world.put(a_budget(CENT, thresholds=[{"percent": 20, "action": "Block"}]))
    url = world.start_sidecar().url
    async with Apps(world) as http:

        async def refused() -> dict[str, Any] | None:
            got = await ask(http, url, **SMALL)
            return None if got.whole else got.error

        error = None
        for _ in range(100):
            error = error or await refused()
    assert error is not None
    assert error["code"] == "insufficient_quota"
    assert "Budget demo/team blocks calls: limit day (0.01 USD)" in error["message"]
    assert "it resets at" in error["message"]
    world.finish()
    eventually(lambda: world.booked() == world.billed())
    assert 0 < world.billed() < CENT // 2
