"""Models behind somebody's API: what a pool leaves out, and what it cannot turn aside."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman_operator.api import ModelPool, ProblemCode
from pointsman_operator.catalog.catalogue import bundled
from pointsman_operator.compile import Knowledge, label_of
from pointsman_operator.compile.gateway import by_gateway
from pointsman_operator.compile.learnt import read_learnt
from pointsman_operator.compile.resolve import ResolvedPool, resolve_pool
from pointsman_operator.compile.table import (
    TableCredential,
    TableHoldBack,
    TableModel,
    TableRetries,
    TableRoute,
    TableTimeouts,
)
from pointsman_operator.compile.table import least_reader as least
from support import resources as make

KEY = {"secretRef": {"name": "k", "key": "v"}}
CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


def _resolved(provider: dict[str, Any], **more: Any) -> ResolvedPool:
    simulated = more.pop("simulated", {})
    pool = make.parsed(make.pool(make.hosted("m", provider=provider, **more)))
    assert isinstance(pool, ModelPool)
    return resolve_pool(pool, Knowledge(bundled(), read_learnt(b"{}"), simulated))


def _model(provider: dict[str, Any], **more: Any) -> TableModel:
    resolved = _resolved(provider, **more)
    assert [p for p in resolved.problems if p.severity == "error"] == []
    return resolved.models["m"]


@pytest.mark.parametrize(
    ("provider", "label", "base_url", "env"),
    [
        (
            {"type": "Anthropic", "model": "claude-sonnet-4-5"},
            *("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
        ),
        (
            {"type": "Gemini", "model": "gemini-2.5-flash"},
            *("google", "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
        ),
        (
            {"type": "Bedrock", "model": CLAUDE, "region": "eu-central-1"},
            *("bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
            "AWS_BEARER_TOKEN_BEDROCK",
        ),
        (
            {"type": "AzureOpenAI", "model": "gpt-4o-mini", "resource": "acme"},
            *("azure", "https://acme.openai.azure.com/openai/v1", "AZURE_OPENAI_API_KEY"),
        ),
        (
            {"type": "OpenAICompatible", "model": "llama-3.1-8b-instant", "profile": "Groq"},
            *("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        ),
    ],
)
def test_a_type_knows_its_address(
    provider: dict[str, Any], label: str, base_url: str, env: str
) -> None:
    """Type, model and key are enough: address, hosts, variable, price and size are known."""
    model = _model({**provider, "credential": KEY})
    assert model.provider.label == label
    assert model.provider.base_url == base_url
    assert isinstance(model.provider.credential, TableCredential)
    assert model.provider.credential.env == env
    assert base_url.split("/")[2] in model.provider.allowed_hosts
    assert model.pricing.source == "catalogue"


def test_every_type_without_a_server_of_ones_own_needs_a_newer_reader() -> None:
    """A sidecar that does not speak a format must not try; OpenAI's own it has always spoken."""
    old = [_model({"type": "OpenAI", "model": "gpt-4o"})]
    new = [_model({"type": "Anthropic", "model": "claude-sonnet-4-5"})]
    assert (least(old), least(new), least([*old, *new])) == (1, 3, 3)
    refuses = TableRoute(
        strategy="Failover",
        candidates=(),
        retries=TableRetries(max_attempts=1, budget_percent=0, min_per_second=0),
        timeouts=TableTimeouts(first_token_ms=1, stream_idle_ms=1, total_ms=1),
        untranslatable="Refuse",
    )
    assert least(old, [refuses]) == 3
    assert least([by_gateway(model) for model in new]) == 2
    holds = refuses.model_copy(update={"hold_back": TableHoldBack(tokens=40)})
    assert least(old, [holds]) == 5


def test_a_pods_own_identity_needs_no_secret_and_goes_to_its_cloud_alone() -> None:
    """An older sidecar would send nothing; another host is no place for it."""
    own: dict[str, Any] = {"workloadIdentity": {}}
    bedrock = {"type": "Bedrock", "model": CLAUDE, "region": "eu-central-1", "credential": own}
    model = _model(bedrock)
    assert model.provider.known_by == "workload-identity/aws"
    assert model.provider.region == "eu-central-1"
    assert least([model]) == 4
    astray = _resolved({**bedrock, "baseURL": "https://bedrock.example"})
    assert astray.refused == {"m"}
    assert [it.code for it in astray.problems] == [ProblemCode.HOST_NOT_WELL_KNOWN]


def test_a_guest_speaks_openais_format_to_the_gateway() -> None:
    """The gateway translates, so its guest caps an answer by a member that the gateway knows."""
    guest = by_gateway(_model({"type": "Gemini", "model": "gemini-2.5-flash"}))
    assert guest.provider.type == "OpenAICompatible"
    assert guest.provider.cap_field == "max_completion_tokens"


@pytest.mark.parametrize(
    ("host", "warnings"),
    [
        ("acme.openai.azure.com", []),
        ("acme.services.ai.azure.com", []),
        ("openai.azure.com.evil.example", [ProblemCode.HOST_NOT_WELL_KNOWN]),
        ("evil-openai.azure.com", [ProblemCode.HOST_NOT_WELL_KNOWN]),
    ],
)
def test_a_key_of_azure_goes_to_azure(host: str, warnings: list[ProblemCode]) -> None:
    """A domain that only looks like Microsoft's gets no key without the Secret's word."""
    url = f"https://{host}/openai/v1"
    provider = {"type": "AzureOpenAI", "model": "gpt-4o-mini", "baseURL": url, "credential": KEY}
    resolved = _resolved(provider)
    assert [problem.code for problem in resolved.problems] == warnings
    assert bool(resolved.models["m"].provider.allowed_hosts) != bool(warnings)


def test_a_deployment_is_sent_and_the_model_prices_it() -> None:
    """Deployments have names of their own; a region's price counts where it differs."""
    azure = {"type": "AzureOpenAI", "model": "gpt-4o-mini-2024-07-18", "resource": "acme"}
    plain = _model({**azure, "deployment": "cheap"})
    assert (plain.provider.model, plain.pricing.input) == ("cheap", 150_000)
    assert _model({**azure, "region": "eu"}).pricing.input == 165_000
    assert _model({**azure, "region": "elsewhere"}).pricing.input == 150_000


def test_an_arn_is_priced_as_the_model_in_it() -> None:
    """ARN and id cost the same; an application's profile names no model, so it needs a price."""
    arn = "arn:aws:bedrock:eu-central-1:1234:"
    place = {"type": "Bedrock", "region": "eu-central-1"}
    by_id = _model({**place, "model": CLAUDE})
    by_arn = _model({**place, "model": f"{arn}inference-profile/{CLAUDE}"})
    assert by_arn.pricing == by_id.pricing
    assert by_arn.provider.model.startswith("arn:")
    own = _resolved({**place, "model": f"{arn}application-inference-profile/abc"})
    assert ProblemCode.UNKNOWN_PRICE in {problem.code for problem in own.problems}


def test_cache_writes_are_priced_twice_or_not_at_all() -> None:
    """Claude's are dearer than its prompts where nobody says how much; others' are not made up."""
    own = {"pricing": {"inputPerMTok": "1.000001", "outputPerMTok": "2"}, "contextWindow": 1000}
    claude = _model({"type": "Anthropic", "model": "claude-of-our-own"}, **own)
    assert (claude.pricing.cache_write, claude.pricing.cache_write_long) == (1_250_002, 2_000_002)
    other = _model({"type": "OpenAI", "model": "own"}, **own)
    assert (other.pricing.cache_write, other.pricing.cache_write_long) == (None, None)
    own["pricing"]["cacheWritePerMTok"] = "3"  # type: ignore[index]
    told = _model({"type": "OpenAI", "model": "own"}, **own)
    assert (told.pricing.cache_write, told.pricing.cache_write_long) == (3_000_000, 3_000_000)
    listed = _model({"type": "Anthropic", "model": "claude-sonnet-4-5"})
    assert (listed.pricing.cache_write, listed.pricing.cache_write_long) == (3_750_000, 6_000_000)


def test_only_openais_own_servers_are_trusted_with_its_other_endpoints() -> None:
    """A proxy may lack `/responses`; the models of the legacy endpoint have nothing else."""
    openai = {"type": "OpenAI", "model": "gpt-4o"}
    assert _model(openai).provider.surfaces == ("Responses",)
    assert _model({**openai, "baseURL": "https://proxy.example/v1"}).provider.surfaces is None
    assert _model({**openai, "model": "text-embedding-3-small"}).provider.surfaces is None
    old = {"pricing": {"inputPerMTok": "1", "outputPerMTok": "2"}, "contextWindow": 4096}
    model = _model({**openai, "model": "gpt-3.5-turbo-instruct-0914"}, **old)
    assert model.provider.surfaces == ("Completions",)


def test_labels_are_the_types_own() -> None:
    """A type's label does not follow its address; a profile's does only where it has no service."""
    labels = {
        ("Anthropic", "https://llm.example.com/v1", None): "anthropic",
        ("OpenAICompatible", "https://llm.example.com/v1", "Mistral"): "mistral",
        ("OpenAICompatible", "https://llm.example.com/v1", "VLLM"): "llm.example.com",
        ("OpenAICompatible", "https://api.x.ai/v1", None): "xai",
    }
    for (kind, url, profile), label in labels.items():
        provider = {"type": kind, "model": "m", "baseURL": url}
        pool = make.parsed(
            make.pool(make.hosted(provider=provider | ({"profile": profile} if profile else {})))
        )
        assert isinstance(pool, ModelPool)
        assert label_of(pool.spec.models[0]) == label


def test_a_profile_says_how_its_servers_cap() -> None:
    """I10: a profile without a service of its own acts, too."""
    own = {"pricing": {"inputPerMTok": "1", "outputPerMTok": "2"}, "contextWindow": 4096}
    server = {"type": "OpenAICompatible", "model": "m", "baseURL": "https://llm.example.com/v1"}
    assert _model(server, **own).provider.cap_field == "max_tokens"
    vllm = _model({**server, "profile": "VLLM"}, **own)
    assert vllm.provider.cap_field == "max_completion_tokens"
    ollama = _model({"type": "OpenAICompatible", "model": "m", "profile": "Ollama"}, **own)
    assert ollama.provider.base_url == "http://127.0.0.1:11434/v1"


def test_a_server_without_done_is_believed() -> None:
    """Its streams end with the body, also by way of a gateway, which passes them unchanged."""
    own = {"pricing": {"inputPerMTok": "1", "outputPerMTok": "2"}, "contextWindow": 4096}
    server = {"type": "OpenAICompatible", "model": "m", "baseURL": "https://llm.example.com/v1"}
    assert _model(server, **own).provider.stream_end == "Done"
    told = _model({**server, "streamEnd": "Eof"}, **own)
    assert told.provider.stream_end == "Eof"
    assert by_gateway(told).provider.stream_end == "Eof"
    google = _model({"type": "Gemini", "model": "gemini-2.5-flash"})
    assert (google.provider.stream_end, by_gateway(google).provider.stream_end) == ("Eof", "Done")


def test_a_profile_says_where_its_servers_differ() -> None:
    """By profile or by address, in the table's order; a server that nobody knows has none."""
    own = {"pricing": {"inputPerMTok": "1", "outputPerMTok": "2"}, "contextWindow": 4096}
    server = {"type": "OpenAICompatible", "model": "m", "baseURL": "https://llm.example.com/v1"}
    assert _model(server, **own).provider.quirks is None
    for profile, quirk in (
        ("Mistral", "RandomSeed"),
        ("Groq", "GroqTiers"),
        ("DeepSeek", "ThoughtsBack"),
        ("Together", "OneCap"),
        ("Ollama", "OneIndex"),
    ):
        quirks = _model({**server, "profile": profile}, **own).provider.quirks
        assert quirks is not None
        assert quirk in quirks
        assert list(quirks) == sorted(quirks)
    by_address = {**server, "baseURL": "https://api.mistral.ai/v1"}
    mistral = _model({**server, "profile": "Mistral"}, **own).provider.quirks
    assert _model(by_address, **own).provider.quirks == mistral
    played = _model(by_address, simulated={"mistral": "http://127.0.0.1:9/v1"}, **own)
    assert (played.provider.simulated, played.provider.quirks) == (True, None)


@pytest.mark.parametrize(
    ("provider", "base_url"),
    [
        ({"type": "Anthropic", "model": "claude-sonnet-4-5"}, "http://127.0.0.1:9/v1"),
        (
            {"type": "Bedrock", "model": CLAUDE, "region": "eu-central-1"},
            "http://127.0.0.1:9",
        ),
        (
            {"type": "AzureOpenAI", "model": "gpt-4o-mini", "resource": "acme"},
            "http://127.0.0.1:9/openai/v1",
        ),
        (
            {
                "type": "AzureOpenAI",
                "model": "gpt-4o-mini",
                "resource": "acme",
                "deployment": "mini",
                "apiVersion": "2024-10-21",
            },
            "http://127.0.0.1:9/openai/deployments/mini",
        ),
    ],
)
def test_a_simulator_sees_the_format_and_no_key(provider: dict[str, Any], base_url: str) -> None:
    """Type, price and name stay; what is shown in the key's place goes to the simulator alone."""
    real = _model({**provider, "credential": KEY})
    labels = {real.provider.label: "http://127.0.0.1:9/v1/"}
    played = _model({**provider, "credential": KEY}, simulated=labels)
    assert (played.provider.base_url, played.provider.simulated) == (base_url, True)
    kept = ("type", "model", "cap_field", "api_version", "surfaces")
    assert [getattr(played.provider, name) for name in kept] == [
        getattr(real.provider, name) for name in kept
    ]
    assert isinstance(played.provider.credential, TableCredential)
    assert played.provider.credential.secret != KEY["secretRef"]["name"]
    assert played.provider.allowed_hosts == ("127.0.0.1",)
    assert played.pricing == real.pricing
