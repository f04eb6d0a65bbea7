"""Rich resources and ways to spoil them, for properties over what users write."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from support import resources as make

Path = tuple[str | int, ...]

_LOCAL = make.self_hosted()
_LOCAL["selfHosted"]["region"] = "eu"
_FULL_POOL = make.pool(
    make.hosted(
        "mini",
        aliases=["gpt-4o-*", "cheap"],
        tier=1,
        pricing={
            "inputPerMTok": "0.15",
            "cachedInputPerMTok": "0.075",
            "cacheWritePerMTok": "0.2",
            "cacheWriteLongPerMTok": "0.3",
            "outputPerMTok": "0.6",
            "media": {
                "inputPerMTok": "0.3",
                "outputPerMTok": "2",
                "unit": {"per": "Image", "price": "0.04"},
            },
        },
        quality={"prior": 78, "byTask": {"code": 72}},
        capabilities=["chat", "json", "images", "transcription"],
        contextWindow=128_000,
        maxOutputTokens=16_384,
        limits={"requestsPerMinute": 600, "tokensPerMinute": 90_000, "maxInFlight": 20},
        provider={"type": "OpenAI", "model": "gpt-4o-mini-2024-07-18", "region": "eu"},
    ),
    _LOCAL,
    make.own(
        "found",
        {"service": {"name": "vllm", "port": 8000}},
        engine="vLLM",
        region="eu",
        saturation={
            "maxQueue": 4,
            "maxKVCachePercent": 70,
            "maxFirstToken": "1s",
            "metricsStaleAfter": "5s",
        },
    ),
    make.own(
        "picked",
        {"podSelector": {"matchLabels": {"app": "picked"}, "port": 8080}},
        region="eu",
        cost={"gpuHour": "2", "gpus": 1, "amortise": "Reserved"},
    ),
    make.hosted(
        "remote",
        provider={
            "type": "OpenAICompatible",
            "model": "mistral-large-latest",
            "baseURL": "https://api.mistral.ai/v1",
            "credential": {"secretRef": {"name": "mistral", "key": "api-key"}},
            "region": "eu",
        },
    ),
    *(
        make.hosted(provider["type"].lower(), provider={**provider})
        for provider in (
            {"type": "Anthropic", "model": "claude-sonnet-4-5", "region": "eu"},
            {"type": "Gemini", "model": "gemini-2.5-pro", "region": "eu"},
            {
                "type": "Vertex",
                "model": "gemini-2.5-flash",
                "project": "acme",
                "region": "europe-west4",
            },
            {"type": "Bedrock", "model": "amazon.nova-lite-v1:0", "region": "eu-central-1"},
            {
                "type": "AzureOpenAI",
                "model": "gpt-4o-mini",
                "resource": "acme",
                "deployment": "mini",
                "apiVersion": "2024-10-21",
                "region": "eu",
            },
        )
    ),
    make.hosted(
        "profiled",
        provider={
            "type": "OpenAICompatible",
            "model": "mistral-small-latest",
            "profile": "Mistral",
            "streamEnd": "Eof",
            "region": "eu",
        },
    ),
    make.hosted(
        "keyless",
        provider={
            "type": "Bedrock",
            "model": "amazon.nova-lite-v1:0",
            "region": "eu-central-1",
            "credential": {"workloadIdentity": {}},
        },
    ),
    constraints={"allowedRegions": ["eu", "eu-central-1", "europe-west4"]},
    allowedNamespaces={"from": "Names", "names": ["other"]},
)
_FULL_POLICY = make.policy(
    {
        "name": "ordered",
        "when": {"models": ["first-*"]},
        "route": {
            "strategy": "Failover",
            "candidates": [
                {"model": "main/mini", "priority": 2},
                {"model": "main/local"},
                {"model": "main/keyless"},
            ],
        },
    },
    {**make.rule("private", "main/local"), "when": {"anyOf": ["pii"], "noneOf": ["batch"]}},
    {
        **make.rule("smart", strategy="Quality", quality={"target": 95, "floor": 60}),
        "when": {"models": ["auto", "gpt-*"], "allOf": ["long"]},
    },
    {
        "name": "spread",
        "route": {
            "strategy": "Weighted",
            "candidates": [{"model": "main/mini", "weight": 3}],
            "retries": {"maxAttempts": 2, "budgetPercent": 10, "minPerSecond": 1},
            "timeouts": {"firstToken": "5s", "streamIdle": "10s", "total": "1m"},
            "holdBack": {"tokens": 40, "ms": 500},
            "overflow": {"onSaturated": False, "onColdStart": False, "onError": False},
            "priority": "Low",
            "untranslatable": "Refuse",
        },
    },
    target={"selector": {"matchLabels": {"app": "support"}}},
    priority=100,
    residency={"allowedRegions": ["eu"]},
    pools=[{"name": "main", "namespace": "demo"}],
    signals=[
        {"name": "pii", "detector": "PII"},
        {"name": "code", "task": "code"},
        {"name": "long", "tokens": {"min": 32_000, "max": 64_000}},
        {"name": "batch", "header": {"name": "x-batch", "values": ["1"]}},
        {"name": "legal", "keywords": ["contract"]},
        {"name": "auto", "models": ["auto"]},
    ],
    default={
        "action": "Route",
        "route": {"strategy": "Failover", "candidates": [{"model": "main/mini", "priority": 1}]},
    },
)
_FULL_BUDGET = make.budget(
    limits=[
        {
            "name": "day",
            "amount": "5",
            "window": {"calendar": "Day", "timeZone": "Europe/Berlin"},
        }
    ],
    subject={
        "namespaces": ["demo"],
        "workloads": ["support"],
        "header": {"name": "x-team", "values": ["blue"]},
        "models": ["main/*"],
    },
    thresholds=[
        {"percent": 80, "action": "Downgrade", "maxTier": 1},
        {"percent": 50, "action": "Notify"},
        {"percent": 100, "action": "Block"},
    ],
    enforcement={
        "mode": "Audit",
        "onLedgerUnavailable": "Deny",
        "outageHorizon": "1h",
        "defaultMaxTokens": 100,
    },
)
ENTRY = make.policy(make.rule("all"), name="entry", target={"gateway": {"replicas": 3}})
"""A policy with a gateway of its own, which the full one's target excludes."""
KEYED = make.budget(name="keyed", subject={"key": {"names": ["ci"]}})
"""A Budget by key, which the full one's header excludes."""
FULL = (_FULL_POOL, _FULL_POLICY, _FULL_BUDGET)
"""One document of each kind in which nearly every field is set."""

_JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 7, 101, 10**9, "", "a", "A", "5", "0", "auto", "PII", "UTC", "10m"),
    *("Quality", "Failover", "Weighted", "Cheapest", "Route", "Deny", "Names", "All", "Downgrade"),
    *("main/mini", "x/y/z", "http://a/v1", "https://a/v1", "ftp://a", [], {}, ["a"], ["a", "a"]),
    *("x" * 300, "authorization", {"action": "Deny"}, [{"name": "a"}], 1.5, "1e3", "-1"),
)
_NAMES = ("name", "model", "weight", "priority", "quality", "route", "tier", "names", "unknown")


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A full document with up to three changes: a value replaced, a member removed or added."""
    document = deepcopy(draw(st.sampled_from(FULL)))
    for _ in range(draw(st.integers(0, 3))):
        paths = list(_paths(document["spec"]))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        holder = _at(document["spec"], path[:-1])
        change = draw(st.sampled_from(("replace", "remove", "add", "repeat")))
        if change == "replace":
            holder[path[-1]] = deepcopy(draw(st.sampled_from(_JUNK)))
        elif change == "remove":
            del holder[path[-1]]
        elif isinstance(holder, dict) and change == "add":
            holder[draw(st.sampled_from(_NAMES))] = deepcopy(draw(st.sampled_from(_JUNK)))
        elif isinstance(holder, list):
            holder.append(deepcopy(holder[-1]))
    return document


def _paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Where every member and item lies."""
    steps: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for step, member in steps:
        yield (*here, step)
        yield from _paths(member, (*here, step))


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value
