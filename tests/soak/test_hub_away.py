"""The hub is away for ten real minutes, on both sides of the lease's expiry."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from support.asking import Apps, ask
from support.eventually import eventually
from support.money_world import DOLLAR, a_budget, money_world

AWAY_S = 600
ASK_EVERY_S = 5
SMALL: dict[str, Any] = {"max_tokens": 20, "do": {"outputTokens": 10}}


@pytest.mark.soak
@pytest.mark.timeout(AWAY_S * 2)
@pytest.mark.parametrize(("horizon_s", "ends"), [(900, False), (300, True)], ids=["within", "over"])
async def test_ten_minutes_without_the_hub(tmp_path: Path, horizon_s: int, *, ends: bool) -> None:
    """Within the horizon every call is served; after it the error names the ledger."""
    with money_world(tmp_path) as world:
        world.put(a_budget(100 * DOLLAR, enforcement={"outageHorizonSeconds": horizon_s}))
        url = world.start_sidecar().url
        served: list[bool] = []
        async with Apps(world) as http:
            for _ in range(200):
                assert (await ask(http, url, **SMALL)).whole
            world.hub.kill()
            for _ in range(AWAY_S // ASK_EVERY_S):
                got = await ask(http, url, **SMALL)
                assert got.whole or "ledger" in got.error["message"]
                served.append(got.whole)
                await asyncio.sleep(ASK_EVERY_S)
            first = served.index(False) * ASK_EVERY_S if ends else AWAY_S
            assert all(served) != ends
            # No call after the expiry, and none refused more than a renewal before it.
            assert horizon_s - 60 <= first <= horizon_s or not ends
            world.hub.start()
            eventually(lambda: not world.sidecars["a"].state()["ledger_is_away"], within_s=30)
            assert (await ask(http, url, **SMALL)).whole
        world.finish()
        assert world.booked() == world.billed()
