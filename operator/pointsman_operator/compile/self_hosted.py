"""Self-hosted models to the table: where they answer, and what a token of them costs."""

from __future__ import annotations

from typing import Literal

from pointsman_operator.api import money
from pointsman_operator.api.self_hosted import Endpoints, SelfHosted, SelfHostedCost
from pointsman_operator.compile.table import TablePricing, TableProvider

SELF_HOSTED_LABEL = "self-hosted"
"""The provider label of every model that the user runs."""
PREFIX = "/v1"
"""Where every engine's OpenAI endpoints are."""
NOWHERE = "endpoints.invalid"
"""The host of pods that no Service names: nothing is there (RFC 6761), the hub tells addresses."""
_MAX_COMPLETION_TOKENS_ENGINES = frozenset({"vLLM", "SGLang"})
"""Engines whose `max_tokens` is deprecated; the others know only that."""


def self_hosted_provider(given: SelfHosted, namespace: str) -> TableProvider:
    """How a self-hosted model of a pool in this namespace is reached."""
    modern = given.engine in _MAX_COMPLETION_TOKENS_ENGINES
    found = given.endpoints
    kind = _kind(found)
    return TableProvider(
        type="SelfHosted",
        label=SELF_HOSTED_LABEL,
        model=given.served_model_name,
        base_url=_base_url(found, namespace),
        simulated=False,
        allowed_hosts=(),
        stream_end="Done",
        cap_field="max_completion_tokens" if modern else "max_tokens",
        endpoints=kind,
    )


def self_hosted_pricing(cost: SelfHostedCost) -> TablePricing:
    """What a token costs: nothing more where the accelerators are reserved anyway."""
    if cost.tokens_per_second is None:
        return TablePricing(input=0, output=0, source="gpuHour")
    token = money.gpu_hour_price(cost.gpu_hour, cost.gpus, cost.tokens_per_second)
    return TablePricing(input=token, output=token, source="gpuHour")


def _kind(found: Endpoints) -> Literal["Service", "Pods"] | None:
    if found.service is not None:
        return "Service"
    return "Pods" if found.pod_selector is not None else None


def _base_url(found: Endpoints, namespace: str) -> str:
    if found.service is not None:
        return f"http://{found.service.name}.{namespace}.svc:{found.service.port}{PREFIX}"
    if found.pod_selector is not None:
        return f"http://{NOWHERE}:{found.pod_selector.port}{PREFIX}"
    return (found.url or "").rstrip("/")
