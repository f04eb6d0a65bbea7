"""Providers that the product knows by name: label, hosts, the variable that holds their key.

A key is sent to a provider's own hosts without further ado, and to no others (DESIGN section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pointsman_operator.catalog.natives import NATIVES

Quirk = Literal[
    "AnyTool",
    "ContentLists",
    "GroqTiers",
    "NoOthers",
    "OneCap",
    "OneIndex",
    "RandomSeed",
    "ShortIds",
    "SystemRole",
    "ThoughtsBack",
]
"""Differences from OpenAI's chat that the engine bridges (docs/providers.md)."""


@dataclass(frozen=True)
class KnownProvider:
    """A provider with OpenAI's chat endpoint."""

    label: str
    """Its name in metrics, spend and catalogue."""
    hosts: tuple[str, ...]
    """Hosts to which its keys may go."""
    env: str
    """The variable in which its users keep the key."""
    base_url: str
    """Where `/chat/completions` is."""
    cap_field: str = "max_tokens"
    """The request field that caps an answer."""
    other_env: str = ""
    """Another variable in which users keep the key; the first counts where both are set."""
    quirks: tuple[Quirk, ...] = ()
    """Where it differs from OpenAI's chat, in the table's words (docs/providers.md)."""


PROVIDERS: tuple[KnownProvider, ...] = (
    KnownProvider(
        "openai",
        ("api.openai.com", "eu.api.openai.com", "us.api.openai.com"),
        "OPENAI_API_KEY",
        "https://api.openai.com/v1",
        "max_completion_tokens",
    ),
    KnownProvider(
        "anthropic", ("api.anthropic.com",), "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1"
    ),
    KnownProvider(
        "google",
        ("generativelanguage.googleapis.com",),
        "GEMINI_API_KEY",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        other_env="GOOGLE_API_KEY",
    ),
    KnownProvider(
        "together_ai",
        ("api.together.xyz", "api.together.ai"),
        "TOGETHER_API_KEY",
        "https://api.together.xyz/v1",
        quirks=("OneCap", "SystemRole"),
    ),
    KnownProvider(
        *("groq", ("api.groq.com",), "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
        quirks=("GroqTiers",),
    ),
    KnownProvider(
        *("deepseek", ("api.deepseek.com",), "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
        quirks=("OneCap", "SystemRole", "ThoughtsBack"),
    ),
    KnownProvider(
        *("mistral", ("api.mistral.ai",), "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
        quirks=(
            *("AnyTool", "ContentLists", "NoOthers", "OneCap"),
            *("RandomSeed", "ShortIds", "SystemRole"),
        ),
    ),
    KnownProvider("xai", ("api.x.ai",), "XAI_API_KEY", "https://api.x.ai/v1"),
    KnownProvider(
        "openrouter", ("openrouter.ai",), "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"
    ),
    KnownProvider(
        "deepinfra",
        ("api.deepinfra.com",),
        "DEEPINFRA_API_KEY",
        "https://api.deepinfra.com/v1/openai",
    ),
    KnownProvider(
        "fireworks_ai",
        ("api.fireworks.ai",),
        "FIREWORKS_API_KEY",
        "https://api.fireworks.ai/inference/v1",
    ),
    KnownProvider(
        "cerebras", ("api.cerebras.ai",), "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1"
    ),
    KnownProvider(
        "perplexity", ("api.perplexity.ai",), "PERPLEXITY_API_KEY", "https://api.perplexity.ai"
    ),
)
"""All known providers."""

OPENAI = PROVIDERS[0]
"""The one that type `OpenAI` means."""
BY_LABEL = {provider.label: provider for provider in PROVIDERS}
"""Known providers by label."""

PROFILES: dict[str, KnownProvider] = {
    "Mistral": BY_LABEL["mistral"],
    "Groq": BY_LABEL["groq"],
    "DeepSeek": BY_LABEL["deepseek"],
    "XAI": BY_LABEL["xai"],
    "OpenRouter": BY_LABEL["openrouter"],
    "Together": BY_LABEL["together_ai"],
    "Ollama": KnownProvider(
        *("", (), "", "http://127.0.0.1:11434/v1"), quirks=("OneCap", "OneIndex", "SystemRole")
    ),
    "VLLM": KnownProvider("", (), "", "", "max_completion_tokens"),
    "SGLang": KnownProvider("", (), "", "", "max_completion_tokens"),
}
"""By `provider.profile`; without a label: the host's name is the label."""

_BY_HOST = {host: provider for provider in PROVIDERS for host in provider.hosts}


def host_of(url: str) -> str:
    """The host of a URL, in lower case, without port."""
    return urlsplit(url).hostname or ""


def variables() -> frozenset[str]:
    """Every variable in which users keep a provider's key."""
    known = {name for it in PROVIDERS for name in (it.env, it.other_env)}
    clouds = {"AWS_SESSION_TOKEN", "AWS_PROFILE"}
    clouds |= {name for it in NATIVES.values() for row in it.others for name in row}
    return frozenset((known | clouds | {it.env for it in NATIVES.values()}) - {""})


def with_usual_names(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with each key under its provider's first variable, too."""
    named = dict(environment)
    for provider in PROVIDERS:
        other = named.get(provider.other_env, "")
        if other and not named.get(provider.env):
            named[provider.env] = other
    return named


def provider_at(url: str) -> KnownProvider | None:
    """The known provider behind a URL; None for any other host."""
    return _BY_HOST.get(host_of(url))
