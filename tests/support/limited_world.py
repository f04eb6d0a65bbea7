"""A fleet before a provider that keeps to limits of its own and counts what it had to refuse.

The judge is the simulator's log of the last minute: it shares no code with engine or hub.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from support.money_world import MoneyWorld
from support.processes import Sidecar

ACCOUNT = "demo/main/gpt"
UPSTREAM = "gpt-2026"
PER_MINUTE = {"requestsPerMinute", "tokensPerMinute"}


def limited(**limits: int) -> dict[str, Any]:
    """What makes the model `gpt` a limited one in a table."""
    return {"minReader": 5, "gpt": {"limits": {"account": ACCOUNT, **limits}}}


def at_provider(world: MoneyWorld, model: str = UPSTREAM) -> dict[str, int]:
    """What the provider saw of that model."""
    found: dict[str, int] = world.sim.stats()["limited"][model]
    return found


def held(sidecar: Sidecar, unit: str = "requests") -> int:
    """Its share."""
    return int(sidecar.state()["limits"].get(ACCOUNT, {}).get(unit, {}).get("held", 0))


def shares(world: MoneyWorld, unit: str = "requests", **query: bool) -> dict[str, Any]:
    """How the hub sees one limit."""
    answer = world.hub.http.get("/v1/limits", params=query)
    rows: list[dict[str, Any]] = answer.raise_for_status().json()
    return next(row for row in rows if row["limit"] == ACCOUNT and row["unit"] == unit)


@dataclass
class Load:
    """What callers got."""

    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[httpx.Response] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def offered(urls: Sequence[str], *, per_second: float, seconds: float, **body: Any) -> Load:
    """Calls at even times, whatever becomes of them, to each of these in turn."""
    load, running = Load(), set()
    document = {"model": "gpt", "messages": [{"role": "user", "content": "Hello."}], **body}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
    async with httpx.AsyncClient(timeout=30, limits=limits) as http:

        async def call(url: str) -> None:
            try:
                answer = await http.post(f"{url}/v1/chat/completions", json=document)
            except httpx.HTTPError as error:
                load.failures.append(repr(error))
                return
            load.statuses[answer.status_code] += 1
            if answer.status_code != httpx.codes.OK:
                load.refusals.append(answer)

        begun = time.monotonic()
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, begun + number / per_second - time.monotonic()))
            task = asyncio.create_task(call(urls[number % len(urls)]))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
    return load


def assert_named(refusal: httpx.Response, *parts: str) -> None:
    """A refusal says which limit it is, when to come back, and that we have waited already."""
    assert refusal.status_code == httpx.codes.TOO_MANY_REQUESTS, refusal.text
    error = refusal.json()["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert 1 <= int(refusal.headers["retry-after"]) <= 60
    assert refusal.headers["x-should-retry"] == "false"
    for part in ("main/gpt", *parts):
        assert part in error["message"], (part, error["message"])
