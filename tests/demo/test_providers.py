"""`pointsman up` with providers that have a format of their own, simulated for want of a key."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from support import resources as make
from support.eventually import eventually
from support.up import Up

PROGRAM = str(Path(sys.executable).parent / "pointsman")
KEY = {"secretRef": {"name": "pointsman-credentials", "key": "any"}}
PROVIDERS: dict[str, dict[str, str]] = {
    "claude": {"type": "Anthropic", "model": "claude-sonnet-4-5"},
    "gemini": {"type": "Gemini", "model": "gemini-2.5-flash"},
    "vertex": {
        "type": "Vertex",
        "model": "gemini-2.5-flash",
        "project": "acme",
        "region": "europe-west4",
    },
    "azure": {"type": "AzureOpenAI", "model": "gpt-4o-mini", "resource": "acme"},
    "bedrock": {"type": "Bedrock", "model": "amazon.nova-lite-v1:0", "region": "us-east-1"},
}
KEYS = ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_OAUTH_ACCESS_TOKEN")
MORE_KEYS = ("AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK")
pytestmark = pytest.mark.timeout(180)


class Everyone(Up):
    """A running `pointsman up` with a model of every type."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.state = folder / "state"
        resources = folder / "resources"
        resources.mkdir(parents=True)
        models = [
            make.hosted(name, provider={**provider, "credential": KEY})
            for name, provider in PROVIDERS.items()
        ]
        documents = [make.pool(*models), make.policy()]
        (resources / "all.yaml").write_text(yaml.safe_dump_all(documents))
        none = dict.fromkeys((*KEYS, *MORE_KEYS), "")
        super().__init__(PROGRAM, resources, self.state, folder / "up.log", **(none | variables))

    def ask(self, model: str) -> httpx.Response:
        """One plain call in OpenAI's format."""
        body = {"model": model, "messages": [{"role": "user", "content": "What is 17 * 23?"}]}
        url = f"{self.said['base_url']}/chat/completions"
        return httpx.post(url, json=body, trust_env=False, timeout=30)

    def run(self, *arguments: str) -> Any:
        """Another command on the same state, its JSON."""
        command = [PROGRAM, *arguments, "--state", str(self.state), "--json"]
        outcome = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(outcome.stdout)


@pytest.fixture
def everyone(tmp_path: Path) -> Iterator[Everyone]:
    """Up with `GOOGLE_API_KEY` alone: Google's tools name their key in two ways."""
    up = Everyone(tmp_path, GOOGLE_API_KEY="sk-nobodys")
    yield up
    assert up.end(signal.SIGTERM) == 0


def test_every_provider_answers_in_openais_format(everyone: Everyone) -> None:
    """Each simulated type is called, translated, priced and booked; the one with a key is real."""
    simulated = ["anthropic", "azure", "bedrock", "vertex_ai"]
    assert sorted(everyone.said["simulated"]) == simulated
    for name in PROVIDERS.keys() - {"gemini"}:
        answer = everyone.ask(name)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.headers["x-pointsman-simulated"] == "1"
        assert answer.headers["x-pointsman-model"] == f"main/{name}"
        (choice,) = answer.json()["choices"]
        assert choice["finish_reason"] == "stop"
        assert choice["message"]["content"]
        assert float(answer.headers["x-pointsman-cost"]) > 0
    eventually(lambda: everyone.run("spend")["total"]["requests"] == len(simulated), within_s=60)
    booked = {row["key"]: row["cost"] for row in everyone.run("spend", "--by", "provider")["rows"]}
    assert {label for label, cost in booked.items() if cost > 0} == set(simulated)
