"""Ten sidecars share what a provider allows: thrice as much is asked for, hub and one are killed.

The provider enforces the same limits itself: each refusal of its is one that the fleet caused. The
load is steady for two and a half minutes, the last third with one sidecar dead. Then the same for a
limit of tokens alone, for a minute, with answers of two sizes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scale.rows import Row
from scale.size import Size
from scale.watched import load
from support.limited_world import Load, at_provider, limited, offered
from support.money_world import MoneyWorld, money_world

NAME, SECONDS = "shared-limits", 250
SIDECARS, REQUESTS, TOKENS, AT_ONCE = 10, 1_200, 100_000, 10
TIMES, FOR_S = 3, 150.0
HUB_DIES_S, HUB_RETURNS_S, SIDECAR_DIES_S = 61.0, 71.0, 85.0
USED_PERCENT = 90
COUNTED = "by the provider"
TOKENS_ALONE: dict[str, Any] = {"tokensPerMinute": 60_000}
ANSWERS, CALLS_A_SECOND, MINUTE_S = (20, 200), 22.0, 60.0
"""Calls of 20 and of 200 tokens by turns: some 3,000 tokens a second, thrice what is allowed."""
AGREED: dict[str, Any] = {
    "requestsPerMinute": REQUESTS,
    "tokensPerMinute": TOKENS,
    "maxInFlight": AT_ONCE,
}


def measure(folder: Path, size: Size) -> list[Row]:
    """Always at full size: minutes are what is measured."""
    del size
    calls, tokens = folder / "calls", folder / "tokens"
    calls.mkdir()
    tokens.mkdir()
    return _calls(calls) + _tokens(tokens)


def _tokens(folder: Path) -> list[Row]:
    """A limit of tokens alone, which calls count by what they may come to at most."""
    with money_world(
        folder, limits={"gpt-2026": TOKENS_ALONE}, pace={"firstTokenMs": 200}
    ) as world:
        world.put(**limited(**TOKENS_ALONE))
        urls = [world.start_sidecar(f"n{number}").url for number in range(SIDECARS)]

        async def both() -> list[Load]:
            rate = CALLS_A_SECOND / len(ANSWERS)
            sizes = (
                offered(urls, per_second=rate, seconds=MINUTE_S, max_tokens=most)
                for most in ANSWERS
            )
            return await asyncio.gather(*sizes)

        loads = asyncio.run(both())
        provider = at_provider(world)
    allowed = TOKENS_ALONE["tokensPerMinute"]
    answered = ", ".join(f"{it.statuses[200]} of {sum(it.statuses.values())}" for it in loads)
    told = f"answers of {ANSWERS[0]} and {ANSWERS[1]} tokens, thrice the limit; load {load()}"
    used = 100 * provider["tokens_most"] / allowed
    return [
        Row(NAME, "tokens_refused", provider["refused"], "calls", told, at_most=0),
        Row(NAME, "tokens_used", used, "%", COUNTED, at_most=100, at_least=USED_PERCENT),
        Row(NAME, "tokens_answers", provider["admitted"], "calls", answered),
    ]


def _calls(folder: Path) -> list[Row]:
    with money_world(folder, limits={"gpt-2026": AGREED}, pace={"firstTokenMs": 200}) as world:
        world.put(**limited(**AGREED))
        for number in range(SIDECARS):
            world.start_sidecar(f"n{number}")
        admitted: dict[str, int] = {}
        urls = [sidecar.url for sidecar in world.sidecars.values()]
        faults = threading.Thread(target=_faults, args=(world, admitted, time.monotonic()))
        faults.start()
        # Some are asked three times as often as the others: shares must follow.
        uneven = urls + urls[:3] * 2
        seen = asyncio.run(
            offered(uneven, per_second=TIMES * REQUESTS / 60, seconds=FOR_S, max_tokens=5)
        )
        faults.join()
        provider = at_provider(world)
    first, second = admitted["first"], admitted["second"] - admitted["first"]
    told = f"{SIDECARS} sidecars, {TIMES} x {REQUESTS} calls a minute asked; load {load()}"
    killed = "minute in which the hub was away for 10 s and a sidecar was killed for good"
    answered = ", ".join(f"{count} x {status}" for status, count in sorted(seen.statuses.items()))
    return [
        Row(NAME, "refused_upstream", provider["refused"], "calls", told, at_most=0),
        Row(NAME, "most_in_a_minute", provider["requests_most"], "calls", COUNTED, REQUESTS),
        Row(NAME, "most_at_once", provider["open_most"], "calls", COUNTED, AT_ONCE),
        Row(NAME, "used", 100 * first / REQUESTS, "%", "first minute", at_least=USED_PERCENT),
        Row(NAME, "used_faults", 100 * second / REQUESTS, "%", killed, at_least=USED_PERCENT),
        Row(NAME, "answers", sum(seen.statuses.values()), "calls", answered),
    ]


def _faults(world: MoneyWorld, admitted: dict[str, int], began_s: float) -> None:
    last = world.sidecars[f"n{SIDECARS - 1}"]

    def count(name: str) -> Callable[[], None]:
        def note() -> None:
            admitted[name] = at_provider(world)["admitted"]

        return note

    for at_s, what in (
        (60.0, count("first")),
        (HUB_DIES_S, world.hub.kill),
        (HUB_RETURNS_S, world.hub.start),
        (SIDECAR_DIES_S, last.kill),
        (120.0, count("second")),
    ):
        time.sleep(max(0.0, began_s + at_s - time.monotonic()))
        what()
