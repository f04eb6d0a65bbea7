"""Hand-written route tables for engine tests, a few lines a case."""

from __future__ import annotations

from typing import Any

PRICES = {"input": 150_000, "cachedInput": 75_000, "output": 600_000}


def model(name: str, url: str, **changes: Any) -> dict[str, Any]:
    """A model `main/NAME` at a simulated provider; `changes` replace members, `provider` merges."""
    provider = {
        "type": "OpenAICompatible",
        "label": f"sim-{name}",
        "model": f"{name}-2026",
        "baseURL": f"{url}/v1",
        "simulated": True,
        "streamEnd": "Done",
        "capField": "max_completion_tokens",
        **changes.pop("provider", {}),
    }
    return {
        "name": f"main/{name}",
        "pool": {"namespace": "demo", "name": "main"},
        "aliases": [],
        "tier": 1,
        "provider": provider,
        "pricing": {**PRICES, "source": "pool", "asOf": "2026-01-01"},
        "capabilities": ["chat", "json", "tools", "vision", "embeddings"],
        "contextWindow": 128_000,
        "maxOutputTokens": 16_384,
        "quality": {"prior": 70, "byTask": {}},
        "outputTokens": {"default": 100, "byTask": {}},
        **changes,
    }


def route(*names: str, strategy: str = "Failover", **changes: Any) -> dict[str, Any]:
    """A route over `main/NAME` in this order."""
    candidates = [
        {"model": f"main/{name}", "weight": 1, "priority": place}
        for place, name in enumerate(names)
    ]
    return {"strategy": strategy, "candidates": candidates, **changes}


def budget(amount: int, **enforcement: Any) -> dict[str, Any]:
    """`demo/team`: a daily limit in picodollars, enforced on every call."""
    window = {"calendar": "Day", "timeZone": "UTC"}
    return {
        "namespace": "demo",
        "name": "team",
        "subject": {"namespaces": [], "workloads": [], "models": []},
        "limits": [{"name": "day", "amount": amount, "window": window}],
        "thresholds": [{"percent": 100, "action": "Block"}],
        "enforcement": {
            "mode": "Enforce",
            "onLedgerUnavailable": "SpendLease",
            "outageHorizonSeconds": 900,
            "defaultMaxTokens": 4096,
            **enforcement,
        },
    }


def table(
    models: list[dict[str, Any]],
    rules: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A table of these models; without rules, `auto` goes to all of them in order."""
    names = [entry["name"].removeprefix("main/") for entry in models]
    everything = [{"name": "all", "when": {"models": ["auto"]}, "route": route(*names)}]
    return {
        "version": 1,
        "minReader": 1,
        "policy": {"namespace": "demo", "name": "test"},
        "catalogue": "sha256:0",
        "models": models,
        "signals": [],
        "rules": everything if rules is None else rules,
        "default": {"action": "Deny"},
        "budgets": [],
        **changes,
    }
