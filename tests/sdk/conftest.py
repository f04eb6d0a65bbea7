"""One sidecar before each of two simulators, and the official clients that talk to it.

Runs under two generations of the `openai` package; the sidecar is always that of `.venv`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI, OpenAI

from support.upstreams import Aimock, OurSimulator, Upstream
from support.worlds import World, started

UPSTREAMS: dict[str, Callable[[Path], Upstream]] = {"sim": OurSimulator, "aimock": Aimock}
CALLER_KEY = "sk-callers-own-canary"


@pytest.fixture(scope="session", params=sorted(UPSTREAMS))
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A sidecar before each simulator in turn."""
    with started(tmp_path_factory.mktemp(request.param), UPSTREAMS[request.param]) as made:
        yield made


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sidecar before our simulator, for what only that one can do."""
    with started(tmp_path_factory.mktemp("own"), OurSimulator) as made:
        yield made


@pytest.fixture
def client(world: World) -> Iterator[OpenAI]:
    """The official client as a user makes it, without retries of its own."""
    with OpenAI(base_url=world.base_url, api_key=CALLER_KEY, max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(world: World) -> AsyncIterator[AsyncOpenAI]:
    """The same for asyncio."""
    async with AsyncOpenAI(base_url=world.base_url, api_key=CALLER_KEY, max_retries=0) as made:
        yield made
