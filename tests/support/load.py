"""Steady load of several callers, half of it streamed, until told to stop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.asking import Apps, Got, ask
from support.money_world import MoneyWorld

LENGTHS = (5, 30, 120)
PAUSE_S = 0.005
"""What is down is not asked in a spin."""


@dataclass
class Load:
    """Callers that ask again and again; the sidecar may be another process at any moment."""

    url: Callable[[], str]
    seed: int
    callers: int = 8
    got: list[Got] = field(default_factory=list)
    _stopping: bool = False
    _goal: int = 0
    _reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def reached(self, count: int, within_s: float = 30.0) -> None:
        """Wait until so many calls more have ended."""
        self._goal = len(self.got) + count
        self._reached.clear()
        async with asyncio.timeout(within_s):
            await self._reached.wait()

    async def call(self, http: Apps, number: int) -> None:
        """One caller."""
        dice = random.Random(f"{self.seed}/{number}")
        while not self._stopping:
            stream = dice.random() < 0.5
            do = {"outputTokens": dice.choice(LENGTHS)}
            if stream:
                do["tokensPerSecond"] = 2000
            self.got.append(await ask(http, self.url(), stream=stream, max_tokens=150, do=do))
            if len(self.got) >= self._goal:
                self._reached.set()
            if self.got[-1].broken:
                await asyncio.sleep(PAUSE_S)

    def stop(self) -> None:
        """Let every caller finish its call."""
        self._stopping = True


@asynccontextmanager
async def load(world: MoneyWorld, seed: int, callers: int = 8) -> AsyncIterator[Load]:
    """Load within the block; its calls have ended after it."""
    made = Load(lambda: world.sidecars["a"].url, seed, callers)
    async with Apps(world) as http, asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(made.call(http, number))
        try:
            yield made
        finally:
            made.stop()
