"""Providers that the product knows by name: label, hosts, the variable that holds their key.

A key is sent to a provider's own hosts without further ado, and to no others (DESIGN section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


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
    ),
    KnownProvider(
        "together_ai",
        ("api.together.xyz", "api.together.ai"),
        "TOGETHER_API_KEY",
        "https://api.together.xyz/v1",
    ),
    KnownProvider("groq", ("api.groq.com",), "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    KnownProvider(
        "deepseek", ("api.deepseek.com",), "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"
    ),
    KnownProvider("mistral", ("api.mistral.ai",), "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
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

BY_LABEL = {provider.label: provider for provider in PROVIDERS}
"""Known providers by label."""

_BY_HOST = {host: provider for provider in PROVIDERS for host in provider.hosts}


def host_of(url: str) -> str:
    """The host of a URL, in lower case, without port."""
    return urlsplit(url).hostname or ""


def provider_at(url: str) -> KnownProvider | None:
    """The known provider behind a URL; None for any other host."""
    return _BY_HOST.get(host_of(url))
