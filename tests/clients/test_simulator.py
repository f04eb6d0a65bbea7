"""The official SDKs before the simulator itself, with no router between.

What they take from it is the provider's own form, so that it may judge our translations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.clients import CLIENTS, App, Client, running
from support.upstreams import OurSimulator

pytestmark = pytest.mark.timeout(300)  # importing some packages takes long beside other work
ANSWER = "The answer is forty-two."
OFFICIAL = tuple(
    client
    for client in CLIENTS
    if client.generation == "openai 3"
    and client.app
    in ("openai_chat.py", "openai_responses.py", "anthropic_messages.py", "google_genai.py")
)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurSimulator]:
    """One that plays every scene under its upstream name."""
    made = OurSimulator(tmp_path_factory.mktemp("simulator"))
    yield made
    made.kill()


@pytest.fixture(scope="module", params=OFFICIAL, ids=lambda client: client.app)
def app(
    request: pytest.FixtureRequest,
    simulator: OurSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[App]:
    """Each official package for Python in turn."""
    client: Client = request.param
    with running(client, simulator.url, tmp_path_factory.mktemp("app")) as made:
        yield made


@pytest.mark.parametrize("feature", ["plain", "stream", "image"])
def test_text(app: App, feature: str) -> None:
    """Plain and streamed text arrives whole."""
    got = app.ask(feature, "plain-2026")
    assert got["error"] is None, got
    assert got["text"] == ANSWER, got


@pytest.mark.parametrize("feature", ["tools", "streamed_tools"])
def test_tools(app: App, feature: str) -> None:
    """Parallel calls arrive with their arguments, whole and in pieces."""
    got = app.ask(feature, "parallel-2026")
    assert [call["name"] for call in got["calls"]] == ["get_weather", "get_time"], got
    assert got["calls"][0]["arguments"] == {"city": "Paris"}, got


def test_structured_output(app: App) -> None:
    """JSON of the caller's schema is JSON of that schema."""
    got = app.ask("structured", "structured-2026")
    assert (got["parsed"] or json.loads(got["text"])) == {"name": "Ada", "born": 1815}, got


def test_errors_are_the_sdks_own(app: App) -> None:
    """A failing provider is the SDK's exception with the provider's status."""
    got = app.ask("plain", "failing-2026")
    assert got["error"] is not None, got
    assert got["error"]["status"] is not None, got
