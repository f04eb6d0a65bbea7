"""Reads the three published price lists into one shape. `catalogue` merges them."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

PICODOLLARS = 10**12
_ABOVE = re.compile(r"^input_cost_per_token_above_([0-9]+)k_tokens$")

LITELLM, GENAI, MODELS_DEV = "litellm", "genai-prices", "models.dev"


@dataclass(frozen=True)
class Names:
    """How the lists call a provider; an empty name: that list does not have it."""

    litellm: tuple[str, ...]
    genai: str
    models_dev: str
    prefix: str = ""
    """What LiteLLM puts before the ids that are sent upstream."""
    ids: str = ""
    """A pattern of the ids that are its own; empty: all."""


LABELS = {
    "openai": Names(("openai",), "openai", "openai", "openai/"),
    "anthropic": Names(("anthropic",), "anthropic", "anthropic", "anthropic/"),
    "google": Names(("gemini",), "google", "google", "gemini/"),
    "vertex_ai": Names(
        *(("vertex_ai", "vertex_ai-language-models", "vertex_ai-embedding-models"), "google"),
        *("google-vertex", "vertex_ai/", r"(gemini|gemma|text-)[A-Za-z0-9._-]*"),
    ),
    "bedrock": Names(("bedrock", "bedrock_converse"), "aws", "amazon-bedrock", "bedrock/"),
    "azure": Names(("azure",), "azure", "azure", "azure/"),
    "together_ai": Names(("together_ai",), "together", "togetherai", "together_ai/"),
    "groq": Names(("groq",), "groq", "groq", "groq/"),
    "deepseek": Names(("deepseek",), "deepseek", "deepseek", "deepseek/"),
    "mistral": Names(("mistral",), "mistral", "mistral", "mistral/"),
    "xai": Names(("xai",), "x-ai", "xai", "xai/"),
    "openrouter": Names(("openrouter",), "openrouter", "openrouter", "openrouter/"),
    "deepinfra": Names(("deepinfra",), "", "deepinfra", "deepinfra/"),
    "fireworks_ai": Names(("fireworks_ai",), "fireworks", "fireworks-ai", "fireworks_ai/"),
    "cerebras": Names(("cerebras",), "cerebras", "cerebras", "cerebras/"),
    "perplexity": Names(("perplexity",), "perplexity", "perplexity", "perplexity/"),
}
"""By our label."""


HAVE_MEDIA = {"openai", "azure", "groq"}
"""Providers whose sound and images are asked for as OpenAI's are."""
MODES = {
    "audio_transcription": "transcription",
    "audio_speech": "speech",
    "image_generation": "images",
    "image_edit": "images",
}
"""What we call LiteLLM's modes."""
MEDIA = frozenset(MODES.values())
_UNITS = {
    "transcription": "input_cost_per_second",
    "speech": "input_cost_per_character",
    "images": "input_cost_per_image",
}


@dataclass(frozen=True)
class Offer:
    """What one list says of one model."""

    source: str
    input: int
    cached_input: int | None
    cache_write: int | None
    cache_write_long: int | None
    output: int
    context: int | None
    """Tokens."""
    price_holds_to: int | None
    """Prompt tokens above which the whole call costs more; None: the price always holds."""
    max_output: int | None
    capabilities: frozenset[str]
    media_input: int | None = None
    """A token of sound or images that is sent."""
    media_output: int | None = None
    """A token of them that is made."""
    unit: int | None = None
    """A second, a character or an image, where those are billed."""

    @property
    def price(self) -> tuple[int, int]:
        """What is compared between lists."""
        return (self.input, self.output)


def litellm(label: str) -> dict[str, Offer]:
    """LiteLLM's models of a provider, by the id that is sent upstream."""
    names = LABELS[label]
    found: dict[str, Offer] = {}
    for key, model in _document("litellm_model_prices").items():
        if model.get("litellm_provider") not in names.litellm:
            continue
        name = key.removeprefix(names.prefix)
        if label in HAVE_MEDIA and model.get("mode") in MODES and "/" not in name:
            found[name] = _media_offer(model)
        if model.get("mode") not in {"chat", "embedding"}:
            continue
        if "input_cost_per_token" not in model or key.startswith("ft:"):
            continue
        found[name] = _litellm_offer(model)
    return found


def models_dev(label: str) -> dict[str, Offer]:
    """models.dev's text models of a provider, by id."""
    provider = _document("models_dev").get(LABELS[label].models_dev, {"models": {}})
    return {
        key: _models_dev_offer(model)
        for key, model in provider["models"].items()
        if {"input", "output"} <= model.get("cost", {}).keys()
        and "text" in model.get("modalities", {}).get("output", ())
    }


def genai(label: str, others: set[str], today: str) -> dict[str, Offer]:
    """genai-prices' opinion on the ids of the other lists and on those that it names itself."""
    found: dict[str, Offer] = {}
    for provider in _document("genai_prices_v2"):
        if provider["id"] != LABELS[label].genai:
            continue
        for model in provider["models"]:
            offer = _genai_offer(model, today)
            if offer is None:
                continue
            named = {key for key in others if _matches(model["match"], key)}
            for key in named | {model["id"]} | set(_equals(model["match"])):
                found.setdefault(key, offer)
    return found


@cache
def _document(name: str) -> Any:
    path = resources.files("pointsman_operator.catalog").joinpath(f"sources/{name}.json.gz")
    return json.loads(gzip.decompress(path.read_bytes()), parse_float=Decimal)


def _litellm_offer(model: dict[str, Any]) -> Offer:
    embedding = model["mode"] == "embedding"
    flags = {
        "supports_function_calling": "tools",
        "supports_response_schema": "json",
        "supports_vision": "vision",
        "supports_audio_input": "audio",
    }
    capabilities = {"embeddings"} if embedding else {"chat"}
    capabilities |= {ours for theirs, ours in flags.items() if model.get(theirs)}
    steps = [int(found[1]) * 1000 for key in model if (found := _ABOVE.match(key))]
    return Offer(
        LITELLM,
        _per_token(model["input_cost_per_token"]),
        _optional(model.get("cache_read_input_token_cost")),
        _optional(model.get("cache_creation_input_token_cost")),
        _optional(model.get("cache_creation_input_token_cost_above_1hr")),
        0 if embedding else _per_token(model.get("output_cost_per_token", 0)),
        _count(model.get("max_input_tokens")),
        min(steps, default=None),
        1 if embedding else _count(model.get("max_output_tokens")),
        frozenset(capabilities),
    )


def _media_offer(model: dict[str, Any]) -> Offer:
    """By the token where there is a price for that; else by what is counted."""
    kind = MODES[model["mode"]]
    text = model.get("input_cost_per_token") or 0
    sent = model.get("input_cost_per_audio_token") or model.get("input_cost_per_image_token")
    made = model.get("output_cost_per_audio_token") or model.get("output_cost_per_image_token")
    return Offer(
        LITELLM,
        _per_token(text),
        _optional(model.get("cache_read_input_token_cost")),
        None,
        None,
        _per_token(model.get("output_cost_per_token") or 0),
        _count(model.get("max_input_tokens")),
        None,
        _count(model.get("max_output_tokens")),
        frozenset({kind}),
        _optional(sent),
        _optional(made),
        None if text else _optional(model.get(_UNITS[kind])),
    )


def _models_dev_offer(model: dict[str, Any]) -> Offer:
    cost, limit, inputs = model["cost"], model.get("limit", {}), model["modalities"]["input"]
    given = {
        "chat": True,
        "tools": model.get("tool_call"),
        "json": model.get("structured_output"),
        "vision": "image" in inputs,
        "audio": "audio" in inputs,
    }
    steps = [int(tier["tier"]["size"]) for tier in cost.get("tiers", ()) if "size" in tier["tier"]]
    cached, written = cost.get("cache_read"), cost.get("cache_write")
    return Offer(
        MODELS_DEV,
        _per_mtok(cost["input"]),
        _per_mtok(cached) if cached else None,
        _per_mtok(written) if written else None,
        None,
        _per_mtok(cost["output"]),
        _count(limit.get("context")),
        min(steps, default=None),
        _count(limit.get("output")),
        frozenset(name for name, has in given.items() if has),
    )


def _genai_offer(model: dict[str, Any], today: str) -> Offer | None:
    """None for what is not priced by input token."""
    prices = model["prices"]
    if isinstance(prices, list):
        prices = _in_force(prices, today)
    if "input_mtok" not in prices or "requests_kcount" in prices:
        return None
    base, steps = {}, []
    for name in ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok"):
        price = prices.get(name)
        if isinstance(price, dict):
            steps += [int(tier["start"]) for tier in price["tiers"]]
            price = price["base"]
        base[name] = price
    cached, written = base["cache_read_mtok"], base["cache_write_mtok"]
    return Offer(
        GENAI,
        _per_mtok(base["input_mtok"]),
        _per_mtok(cached) if cached else None,
        _per_mtok(written) if written else None,
        None,
        _per_mtok(base["output_mtok"] or 0),
        _count(model.get("context_window")),
        min(steps, default=None),
        None,
        frozenset({"chat"}) if base["output_mtok"] else frozenset({"embeddings"}),
    )


def _in_force(prices: list[dict[str, Any]], today: str) -> dict[str, Any]:
    """The last price that has begun; of prices by the hour the dearest, so that no call is free."""
    begun = [p for p in prices if (p.get("constraint") or {}).get("start_date", "") <= today]
    hourly = [p for p in begun if "start_time" in (p.get("constraint") or {})]
    found: dict[str, Any] = (hourly or begun)[-1]["prices"]
    return found


def _matches(rule: dict[str, Any], key: str) -> bool:
    if "or" in rule:
        return any(_matches(part, key) for part in rule["or"])
    return (
        key == rule.get("equals")
        or ("starts_with" in rule and key.startswith(rule["starts_with"]))
        or ("contains" in rule and rule["contains"] in key)
    )


def _equals(rule: dict[str, Any]) -> Iterator[str]:
    for part in rule.get("or", (rule,)):
        if "equals" in part:
            yield part["equals"]


def _per_token(usd: Any) -> int:
    """Picodollars a token, rounded up.

    62 of 15,030 published prices are no whole number of them.
    """
    return math.ceil(Decimal(usd) * PICODOLLARS)


def _per_mtok(usd: Any) -> int:
    return _per_token(Decimal(usd) / 10**6)


def _optional(usd: Any) -> int | None:
    return _per_token(usd) if usd else None


def _count(tokens: Any) -> int | None:
    """A positive token count; lists use 0 and texts where they do not know."""
    return int(tokens) if isinstance(tokens, int) and tokens > 0 else None
