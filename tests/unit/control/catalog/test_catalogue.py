"""The bundled catalogue: facts with a source, no price of nothing, aliases resolved."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from pointsman_operator.catalog.catalogue import bundled
from pointsman_operator.catalog.providers import (
    BY_LABEL,
    PROVIDERS,
    host_of,
    provider_at,
    variables,
    with_usual_names,
)


@pytest.mark.parametrize(
    ("label", "model", "input_price", "output_price"),
    [
        ("openai", "gpt-4o-2024-08-06", 2_500_000, 10_000_000),
        ("openai", "gpt-4o-mini-2024-07-18", 150_000, 600_000),
        ("anthropic", "claude-3-5-sonnet-20241022", 3_000_000, 15_000_000),
        ("google", "gemini-1.5-flash", 75_000, 300_000),
        ("deepinfra", "meta-llama/Meta-Llama-3.1-8B-Instruct", 30_000, 50_000),
        ("deepseek", "deepseek-chat", 280_000, 420_000),
        ("openai", "text-embedding-3-small", 20_000, 0),
        ("azure", "gpt-4o-mini-2024-07-18", 150_000, 600_000),
        ("azure", "eu/gpt-4o-mini-2024-07-18", 165_000, 660_000),
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", 3_000_000, 15_000_000),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 3_300_000, 16_500_000),
        ("vertex_ai", "gemini-2.5-flash", 300_000, 2_500_000),
    ],
)
def test_known_prices(label: str, model: str, input_price: int, output_price: int) -> None:
    """Published prices in picodollars a token; a generator's mistake of a factor shows here."""
    entry = bundled().lookup(label, model)
    assert entry is not None
    assert (entry.input, entry.output) == (input_price, output_price)


@pytest.mark.parametrize(
    ("label", "model", "capability", "apart"),
    [
        ("openai", "whisper-1", "transcription", (None, None, 100_000_000)),
        ("openai", "tts-1", "speech", (None, None, 15_000_000)),
        ("openai", "gpt-image-1", "images", (10_000_000, 40_000_000, None)),
        ("azure", "gpt-4o-transcribe", "transcription", (6_000_000, None, None)),
        ("groq", "whisper-large-v3-turbo", "transcription", (None, None, 11_110_000)),
    ],
)
def test_known_prices_of_sound_and_images(
    label: str, model: str, capability: str, apart: tuple[int | None, int | None, int | None]
) -> None:
    """By the token, or by the second and the character; such a model does nothing else."""
    entry = bundled().lookup(label, model)
    assert entry is not None
    assert entry.capabilities == (capability,)
    assert (entry.media_input, entry.media_output, entry.unit) == apart


def test_a_dated_id_counts_as_its_undated_one() -> None:
    """A snapshot that no list names has the price of its model; a foreign name has none."""
    catalogue = bundled()
    dated = catalogue.lookup("openai", "gpt-4o-2031-01-01")
    assert dated is not None
    assert dated.model == "gpt-4o"
    assert catalogue.lookup("openai", "gpt-4o-foo") is None
    assert catalogue.lookup("nobody", "gpt-4o") is None


def test_no_entry_is_free_and_every_entry_says_since_when() -> None:
    """A price of nothing is never assumed; cached tokens never cost more than fresh ones."""
    for (label, model), entry in bundled().entries.items():
        assert entry.input > 0 or (entry.unit or 0) > 0, (label, model)
        assert entry.cached_input is None or entry.cached_input <= entry.input
        assert (entry.cache_write or entry.input) >= entry.input
        assert (entry.cache_write_long or entry.input) >= entry.input
        assert entry.as_of.startswith("20")
        assert entry.capabilities


def test_the_price_of_a_cache_write_is_listed() -> None:
    """Claude's writes cost 1.25 times a prompt token for minutes and twice for an hour."""
    for label, model in (
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ):
        entry = bundled().lookup(label, model)
        assert entry is not None
        assert (entry.cache_write, entry.cache_write_long) == (3_750_000, 6_000_000)


def test_disagreements_are_recorded_and_never_settled_for_the_cheapest_alone() -> None:
    """Where lists differ all are kept; without a majority or a reason the dearest counts."""
    text = resources.files("pointsman_operator.catalog").joinpath("catalogue.json").read_text()
    disputed = [
        entry
        for models in json.loads(text)["providers"].values()
        for entry in models.values()
        if "disputed" in entry
    ]
    assert len(disputed) > 20
    for entry in disputed:
        chosen, told = [entry["input"], entry["output"]], list(entry["disputed"].values())
        assert chosen in told
        dearest = sum(chosen) == max(map(sum, told))
        assert dearest or told.count(chosen) * 2 > len(told) or entry.get("reason")


def test_long_context_prices_never_apply_unnoticed() -> None:
    """A table has one price a model, so the context ends where a higher price begins."""
    entry = bundled().lookup("google", "gemini-2.5-pro")
    assert entry is not None
    assert entry.context_window == 200_000


def test_keys_are_found_under_each_of_their_names() -> None:
    """Google's tools name one key in two ways; the first of them counts where both are there."""
    both = {"GOOGLE_API_KEY": "second", "GEMINI_API_KEY": "first"}
    assert with_usual_names(both) == both
    assert with_usual_names({"GOOGLE_API_KEY": "only"})["GEMINI_API_KEY"] == "only"
    assert with_usual_names({"GOOGLE_API_KEY": "", "X": "y"}) == {"GOOGLE_API_KEY": "", "X": "y"}
    named = {*both, "AWS_BEARER_TOKEN_BEDROCK", "AZURE_OPENAI_API_KEY", "MISTRAL_API_KEY"}
    assert named <= variables()
    assert "" not in variables()


def test_hosts_belong_to_one_provider() -> None:
    """A key goes to its own provider's hosts; the base URL is on one of them."""
    hosts = [host for provider in PROVIDERS for host in provider.hosts]
    assert len(hosts) == len(set(hosts))
    for provider in PROVIDERS:
        assert host_of(provider.base_url) in provider.hosts
        assert provider_at(provider.base_url) is BY_LABEL[provider.label]
    assert provider_at("https://api.openai.com.evil.example/v1") is None
    assert provider_at("https://API.OpenAI.com:443/v1") is BY_LABEL["openai"]
