"""Small valid resources for tests: documents as YAML would hold them, and parsed objects."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pointsman_operator.api import AnyResource, parse_document

API = "pointsman.dev/v1alpha1"


def hosted(name: str = "mini", **more: Any) -> dict[str, Any]:
    """A model of OpenAI that the catalogue prices."""
    provider = {"type": "OpenAI", "model": "gpt-4o-mini-2024-07-18"}
    return {"name": name, "provider": provider, **more}


def self_hosted(name: str = "local", **more: Any) -> dict[str, Any]:
    """A model of one's own with a cost and a size."""
    server = {
        "engine": "LlamaCpp",
        "endpoints": {"url": "http://127.0.0.1:8099/v1"},
        "servedModelName": "smollm2",
        "cost": {"gpuHour": "0.05", "gpus": 1, "tokensPerSecond": 45},
    }
    return {"name": name, "selfHosted": server, "contextWindow": 2048, **more}


def own(name: str, endpoints: dict[str, Any], **server: Any) -> dict[str, Any]:
    """The same, found elsewhere; `server` adds to or replaces members of `selfHosted`."""
    model = self_hosted(name)
    model["selfHosted"] |= {"endpoints": endpoints, **server}
    return model


def pool(
    *models: dict[str, Any], name: str = "main", namespace: str = "demo", **spec: Any
) -> dict[str, Any]:
    """A ModelPool."""
    body = {"models": list(models) or [hosted()], **spec}
    return _resource("ModelPool", name, namespace, body)


def policy(
    *rules: dict[str, Any], name: str = "support", namespace: str = "demo", **spec: Any
) -> dict[str, Any]:
    """A RoutingPolicy over the pool `main`."""
    body = {"pools": [{"name": "main"}], "rules": list(rules), **spec}
    return _resource("RoutingPolicy", name, namespace, body)


def rule(
    name: str = "all", *models: str, strategy: str = "Failover", **route: Any
) -> dict[str, Any]:
    """A rule that always applies."""
    candidates = [{"model": model} for model in models or ("main/mini",)]
    return {"name": name, "route": {"strategy": strategy, "candidates": candidates, **route}}


def budget(
    name: str = "team", namespace: str = "demo", amount: str = "5", **spec: Any
) -> dict[str, Any]:
    """A Budget with one daily limit."""
    limit = {"name": "day", "amount": amount, "window": {"calendar": "Day"}}
    return _resource("Budget", name, namespace, {"limits": [limit], **spec})


def parsed(document: dict[str, Any]) -> AnyResource:
    """The object of a document that must be valid."""
    found = parse_document(deepcopy(document))
    assert found is not None
    assert found.resource is not None, found.problems
    return found.resource


def _resource(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
