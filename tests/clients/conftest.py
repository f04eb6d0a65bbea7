"""The apps, each in front of one sidecar before one simulator that plays every provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.clients import CLIENTS, App, Client, running
from support.clients_world import every_provider
from support.worlds import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The router and what is behind it."""
    with every_provider(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(
    scope="module", params=CLIENTS, ids=lambda client: f"{client.name}-{client.surface}"
)
def client(request: pytest.FixtureRequest) -> Client:
    """Each of them in turn."""
    made: Client = request.param
    return made


@pytest.fixture(scope="module")
def app(client: Client, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Its process."""
    with running(client, world.sidecar.url, tmp_path_factory.mktemp("app")) as made:
        yield made
