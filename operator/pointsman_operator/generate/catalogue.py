"""Merges the published price lists into `catalog/catalogue.json` and records every disagreement.

The price that most lists name stands; without a majority the dearest does, so that money is never
under-booked. `sources/settlements.json` has the last word: by hand, each with its reason.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

from pointsman_operator.generate.offers import GENAI, LABELS, LITELLM, MEDIA, MODELS_DEV, Offer
from pointsman_operator.generate.offers import genai as genai_offers
from pointsman_operator.generate.offers import litellm as litellm_offers
from pointsman_operator.generate.offers import models_dev as models_dev_offers

SOURCES: dict[str, dict[str, str]] = {
    LITELLM: {"asOf": "2026-11-12", "from": "PyPI litellm 1.109.1", "licence": "MIT"},
    GENAI: {"asOf": "2026-09-01", "from": "pydantic/genai-prices 47df840", "licence": "MIT"},
    MODELS_DEV: {"asOf": "2026-06-30", "from": "anomalyco/models.dev f3fc692", "licence": "MIT"},
}
TODAY = SOURCES[LITELLM]["asOf"]
"""The day whose prices are in force: the newest list's."""


def catalogue_text() -> str:
    """The catalogue file: one line a model, sorted, so that a price change is a one-line diff."""
    settlements = _settlements()
    lines = ["{", ' "sources": {']
    lines += _members(SOURCES, "  ")
    lines += [" },", ' "providers": {']
    blocks = []
    for label in sorted(LABELS):
        models = _models(label, settlements["models"].get(label, {}))
        blocks.append("\n".join([f"  {_json(label)}: {{", *_members(models, "   "), "  }"]))
    lines += [",\n".join(blocks), " }", "}"]
    return "\n".join(lines) + "\n"


def _models(label: str, settlements: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    first, third = litellm_offers(label), models_dev_offers(label)
    second = genai_offers(label, first.keys() | third.keys(), TODAY)
    merged: dict[str, dict[str, Any]] = {}
    listed = first.keys() | second.keys() | third.keys()
    if LABELS[label].ids:
        listed = {model for model in listed if re.fullmatch(LABELS[label].ids, model)}
    for model in sorted(listed | settlements.keys()):
        offers = [offers[model] for offers in (first, second, third) if model in offers]
        entry = _merge(offers, settlements.get(model))
        if entry is not None:
            merged[model] = entry
    return merged


def _merge(offers: list[Offer], settlement: dict[str, Any] | None) -> dict[str, Any] | None:
    """One entry; None for what nobody sells: a price of nothing is never assumed."""
    # Only one list tells what sound and images cost apart; the others' prices are their text's.
    apart = [offer for offer in offers if offer.capabilities & MEDIA]
    sold = [offer for offer in apart or offers if offer.input > 0 or offer.unit]
    if not sold:
        return None
    taken = [offer for offer in sold if settlement and offer.source == settlement.get("take")]
    chosen = taken[0] if taken else _chosen(sold)
    entry = _entry(chosen, sold)
    if len({offer.price for offer in sold}) > 1:
        entry["disputed"] = {offer.source: list(offer.price) for offer in sold}
    else:
        entry["agreed"] = len(sold)
    by_hand = {key: value for key, value in (settlement or {}).items() if key != "take"}
    return {**entry, **by_hand}


def _chosen(offers: list[Offer]) -> Offer:
    """The price that most lists name; without a majority the dearest."""
    prices = [offer.price for offer in offers]
    for offer in offers:
        if prices.count(offer.price) * 2 > len(prices):
            return offer
    return max(offers, key=lambda offer: (sum(offer.price), offer.source))


def _entry(chosen: Offer, offers: list[Offer]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "input": chosen.input,
        "output": chosen.output,
        "source": chosen.source,
        "capabilities": _capabilities(offers),
    }
    same = [chosen, *(offer for offer in offers if offer.price == chosen.price)]
    cached = next((offer.cached_input for offer in same if offer.cached_input is not None), None)
    if cached is not None and cached <= chosen.input:
        entry["cachedInput"] = cached
    # A write that costs less than a fresh token is a list's mistake: it then counts as one.
    writes = {
        "cacheWrite": next((offer.cache_write for offer in same if offer.cache_write), None),
        "cacheWriteLong": next((it.cache_write_long for it in same if it.cache_write_long), None),
    }
    entry |= {name: price for name, price in writes.items() if price and price >= chosen.input}
    media = {
        "mediaInput": chosen.media_input,
        "mediaOutput": chosen.media_output,
        "unit": chosen.unit,
    }
    entry |= {name: price for name, price in media.items() if price}
    context = _context(offers)
    if context is not None:
        entry["context"] = context
    most = next((offer.max_output for offer in offers if offer.max_output), None)
    if most is not None:
        entry["maxOutput"] = min(most, context or most)
    return entry


def _capabilities(offers: list[Offer]) -> list[str]:
    """What any list grants; a model that embeds does nothing else, whatever they say."""
    granted = frozenset[str]().union(*(offer.capabilities for offer in offers))
    return ["embeddings"] if "embeddings" in granted else sorted(granted)


def _context(offers: list[Offer]) -> int | None:
    """Tokens of prompt and answer, up to where a long-context price begins.

    A table has one price a model.

    models.dev counts prompt and answer together; LiteLLM counts the prompt alone, so it speaks
    second.
    """
    told = [offer.context for offer in offers if offer.context and offer.source == MODELS_DEV]
    told += [offer.context for offer in offers if offer.context]
    steps = [offer.price_holds_to for offer in offers if offer.price_holds_to]
    return min([told[0], *steps]) if told else None


def _settlements() -> dict[str, Any]:
    path = resources.files("pointsman_operator.catalog").joinpath("sources/settlements.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _members(members: dict[str, Any], indent: str) -> list[str]:
    rows = [f"{indent}{_json(name)}: {_json(value)}" for name, value in members.items()]
    return [row + "," for row in rows[:-1]] + rows[-1:]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(", ", ": "), ensure_ascii=False)
