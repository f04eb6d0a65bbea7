"""Every client package, unchanged but for its base URL and key, before every provider's format.

What each cell came to is kept for `docs/clients.md` (`test_the_page.py`).
"""

from __future__ import annotations

import json

import pytest

from support.clients import App, Client
from support.clients_faults import BROKEN, REFUSED, note
from support.clients_page import Cell, remember
from support.clients_world import PROVIDERS
from support.worlds import World

pytestmark = pytest.mark.timeout(300)  # importing some packages takes long beside other work
ANSWER = "The answer is forty-two."
CALLS = [
    {"name": "get_weather", "arguments": {"city": "Paris"}},
    {"name": "get_time", "arguments": {"zone": "Europe/Paris"}},
]
ADA = {"name": "Ada", "born": 1815}
OF_A_TOOL = {"name": "text", "born": 1}
"""What the simulator gives a tool that must be called: how some packages ask for JSON."""
CUT = ("reset", "eof", "end")
"""How a provider may break off: a reset, an end without the last chunk, a clean end."""
CUT_AFTER = 6
"""Events: in every format some text has come by then, and more is to come."""
FEATURES = {
    "plain": "plain",
    "stream": "plain",
    "iterate": "plain",
    "tools": "tools",
    "parallel": "parallel",
    "streamed_tools": "parallel",
    "structured": "structured",
    "image": "plain",
    "count": "plain",
}
"""The scene that each feature is shown with."""


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    """Whose format the model behind the router speaks."""
    return str(request.param)


@pytest.mark.parametrize("feature", FEATURES)
def test_feature(client: Client, app: App, provider: str, feature: str) -> None:
    """The app gets the scripted answer as its package gives it."""
    asked = "tools" if feature == "parallel" else feature
    if asked not in app.features:
        remember(Cell(client, provider, feature, "-"))
        return
    got = app.ask(asked, f"{provider.lower()}-{FEATURES[feature]}")
    assert got["error"] is None, got
    if feature == "count":
        assert got["input_tokens"] > 0, got
    elif feature == "tools":
        assert got["calls"] == CALLS[:1], got
    elif feature in ("parallel", "streamed_tools"):
        assert got["calls"] == CALLS[: len(got["calls"])], got
        assert len(got["calls"]) == len(CALLS) or client.name == "openai-agents", got
    elif feature == "structured":
        assert (got["parsed"] or json.loads(got["text"])) in (ADA, OF_A_TOOL), got
    else:
        assert got["text"] == ANSWER, got
    remember(Cell(client, provider, feature, "yes"))


def test_an_error_is_the_clients_own(client: Client, app: App, provider: str) -> None:
    """A provider that fails becomes the client's own exception, with a status where it has one."""
    feature = "plain" if "plain" in app.features else "structured"
    got = app.ask(feature, f"{provider.lower()}-failing")
    assert got["error"] is not None, got
    assert got["error"]["status"] in (None, 502), got
    remember(Cell(client, provider, "error", got["error"]["kind"]))


@pytest.mark.parametrize("how", CUT)
def test_a_cut_stream_is_no_answer(client: Client, app: App, provider: str, how: str) -> None:
    """However a provider breaks off in mid-answer, the app has an error, not a whole answer."""
    streamed = app.features & {"stream", "iterate"}
    for feature in sorted(streamed):
        got = app.ask(feature, f"{provider.lower()}-cut-{how}-{CUT_AFTER}")
        assert got["error"] is not None, (feature, got)
        remember(Cell(client, provider, f"cut ({feature})", "raises"))


@pytest.mark.parametrize("fault", REFUSED)
def test_a_refusal_is_an_exception(client: Client, app: App, fault: str) -> None:
    """The package's own, with our status where it tells one."""
    feature = "plain" if "plain" in app.features else "structured"
    error = app.ask(feature, REFUSED[fault])["error"]
    assert error is not None
    status = "" if error["status"] is None else f" {error['status']}"
    note(client, fault, f"{error['kind']}{status}")


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_stream_is_no_answer(client: Client, app: App, fault: str) -> None:
    """Whichever way it breaks, and however the app reads it: an error, never a short answer."""
    kinds = set()
    for feature in sorted(app.features & {"stream", "iterate"}):
        error = app.ask(feature, BROKEN[fault])["error"]
        assert error is not None, (feature, fault)
        kinds.add(str(error["kind"]))
    note(client, fault, ", ".join(sorted(kinds)) or "-")


def test_no_app_shows_its_key_to_a_provider(world: World) -> None:
    """The placeholder key of the apps went nowhere."""
    heads = world.upstream.heads("plain-2026")
    assert heads
    assert not [head for head in heads if "sk-callers-own-canary" in head]
