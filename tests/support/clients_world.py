"""One sidecar before one simulator that plays every provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.processes import Sidecar, ended
from support.scenes import BROKEN_STREAMS, CUTS, SCENES
from support.tables import model, route, table
from support.upstreams import OurSimulator
from support.worlds import SIDECAR_PYTHON, World

PROVIDERS = {
    "OpenAI": {"type": "OpenAICompatible", "baseURL": "{url}/v1"},
    "Anthropic": {"type": "Anthropic", "baseURL": "{url}/v1"},
    "Gemini": {"type": "Gemini", "baseURL": "{url}/v1beta"},
}
"""What the models behind the router speak."""
PROVIDERS_KEY = "sk-providers-own-canary"
CREDENTIAL = {"secret": "provider", "key": "api-key"}
NEWEST_READER = 3


@contextmanager
def every_provider(folder: Path) -> Iterator[World]:
    """Every scene as a model at every provider: `anthropic-plain`, `gemini-parallel` and so on."""
    upstream = OurSimulator(folder)
    secret = folder / "secrets" / CREDENTIAL["secret"]
    secret.mkdir(parents=True)
    (secret / CREDENTIAL["key"]).write_text(PROVIDERS_KEY)
    (secret / "allowed-hosts").write_text("127.0.0.1")
    try:
        models = [
            model(
                f"{name.lower()}-{scene.name}",
                upstream.url,
                provider={
                    "type": provider["type"],
                    "baseURL": provider["baseURL"].format(url=upstream.url),
                    "model": scene.upstream,
                    "credential": CREDENTIAL,
                    "allowedHosts": [],
                },
            )
            for name, provider in PROVIDERS.items()
            for scene in (*SCENES, *CUTS, *BROKEN_STREAMS)
        ]
        written = table(models, [impatient()], minReader=NEWEST_READER)
        sidecar = Sidecar(folder, written, python=SIDECAR_PYTHON)
        with ended(sidecar):
            yield World(upstream, sidecar)
    finally:
        upstream.kill()


def impatient() -> dict[str, Any]:
    """The rule that gives up a stalled stream soon; all other models are asked for by name."""
    stalled = "openai-stalled"
    timeouts = {"firstTokenMs": 20_000, "streamIdleMs": 500, "totalMs": 60_000}
    return {
        "name": "stalled",
        "when": {"models": [stalled]},
        "route": route(stalled, timeouts=timeouts),
    }
