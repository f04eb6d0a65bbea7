"""Official SDKs list the models and embed, each in its own words, whoever's model it is."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import httpx
import pytest

from support.clients import ANSWERS_WITHIN_S, APPS, PYTHONS
from support.clients_others import ANTHROPIC, GOOGLE, OPENAI, saw
from support.tree import ROOT
from support.worlds import World

TABLE = "Names and vectors"
TEXTS = ["one", "two"]
"""As the app has them."""


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Any]:
    """What the SDKs made of it, in one process of theirs."""
    python = ROOT / PYTHONS["openai 3"] / "bin" / "python"
    app = APPS / "python" / "names_and_vectors.py"
    outcome = subprocess.run(
        [str(python), str(app), world.sidecar.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * ANSWERS_WITHIN_S,
    )
    assert outcome.returncode == 0, outcome.stderr
    read: dict[str, Any] = json.loads(outcome.stdout)
    return read


def test_every_sdk_lists_every_model(told: dict[str, Any]) -> None:
    """The same names by three SDKs, and one of them by its name, with what it can."""
    listed = told["names"]
    assert "main/gemini-embedder" in listed["openai"]
    assert listed["anthropic"] == listed["openai"]
    assert listed["google"] == [f"models/{name}" for name in listed["openai"]]
    assert listed["one"] == ["gemini-embedder", 16_384, "models/gemini-embedder"]
    for client in (OPENAI, ANTHROPIC, GOOGLE):
        saw(TABLE, client, "list")
    saw(TABLE, GOOGLE, "one")


@pytest.mark.parametrize("sdk", ["openai", "google"])
def test_every_sdk_embeds_with_openais_model(world: World, told: dict[str, Any], sdk: str) -> None:
    """One vector a text, the provider's own, whether it was told in base64 or in numbers."""
    asked = {"model": "embedder-2026", "input": TEXTS, "encoding_format": "float"}
    direct = httpx.post(f"{world.upstream.url}/v1/embeddings", json=asked).json()
    check(told["vectors"]["openai-embedder"][sdk], [it["embedding"] for it in direct["data"]])
    saw(TABLE, {"openai": OPENAI, "google": GOOGLE}[sdk], "openai-embedder")


def test_every_sdk_embeds_with_geminis_model(world: World, told: dict[str, Any]) -> None:
    """OpenAI's gets a vector a text; Google's asks models of that name for one of all its texts."""
    vectors = told["vectors"]["gemini-embedder"]
    contents = [{"parts": [{"text": text}]} for text in TEXTS]
    requests = [{"model": "models/embedder-2026", "content": content} for content in contents]
    several = of_gemini(world, "batchEmbedContents", {"requests": requests})
    check(vectors["openai"], [it["values"] for it in several["embeddings"]])
    whole = {"content": {"parts": [part for content in contents for part in content["parts"]]}}
    one = of_gemini(world, "embedContent", whole)
    assert vectors["google"] == [pytest.approx(one["embedding"]["values"], abs=1e-6)]
    for client in (OPENAI, GOOGLE):
        saw(TABLE, client, "gemini-embedder")


def of_gemini(world: World, method: str, body: dict[str, Any]) -> Any:
    """What the provider says without a router."""
    url = f"{world.upstream.url}/v1beta/models/embedder-2026:{method}"
    return httpx.post(url, json=body, headers={"x-goog-api-key": "direct"}).json()


def check(vectors: list[list[float]], wanted: list[list[float]]) -> None:
    """To the last of a 32-bit float's digits."""
    assert [len(it) for it in vectors] == [len(it) for it in wanted]
    for vector, own in zip(vectors, wanted, strict=True):
        assert vector == pytest.approx(own, abs=1e-6)
    assert vectors[0] != vectors[1]


def test_state_that_is_elsewhere_is_told(told: dict[str, Any]) -> None:
    """OpenAI's SDK raises its error of a bad request, which says what to do."""
    assert told["refused"]["code"] == "state_elsewhere"
    assert "Send the whole conversation" in told["refused"]["message"]
