"""What the hub is told beside the tables: where a pool's own models are found, when they are full.

One document a pool (docs/contracts-kubernetes.md 4); policies that share it share its endpoints.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from pointsman_operator.api import bounds, money
from pointsman_operator.api.durations import milliseconds
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.api.self_hosted import SHOWS_KV_CACHE, Endpoints, Saturation, SelfHosted
from pointsman_operator.compile.table import TableName
from pointsman_operator.compile.table_part import Count, Part, Share


class Find(Part):
    """A Service, or pods by label; in the pool's namespace."""

    service: str | None = None
    labels: dict[str, str] | None = None
    port: Annotated[int, Field(ge=1, le=65_535)]
    """The Service's, or the pods'."""


class Full(Part):
    """When an endpoint is full; what its engine does not tell is absent."""

    max_queue: Count | None = None
    max_kv_cache_percent: Annotated[Share | None, Field(alias="maxKVCachePercent")] = None
    max_first_token_ms: Count
    metrics_stale_ms: Count | None = None


class OwnModel(Part):
    """One self-hosted model."""

    name: str
    """As in tables: `pool/model`."""
    engine: Literal["vLLM", "SGLang", "TGI", "LlamaCpp", "Custom"]
    find: Find | None = None
    """Absent: one fixed address, which nobody watches."""
    full: Full | None = None
    """Beside `find`."""
    hour_cost: Count | None = None
    """Picodollars that the accelerators behind one endpoint cost an hour."""


class PoolEndpoints(Part):
    """A pool's self-hosted models."""

    pool: TableName
    models: tuple[OwnModel, ...]

    def canonical(self) -> bytes:
        """The bytes that are handed over: keys sorted, no whitespace, UTF-8, no null."""
        document = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()


def pool_endpoints(pool: ModelPool) -> PoolEndpoints | None:
    """The hub's document; None for a pool without a model of its own that anything is known of."""
    own = tuple(
        _own(f"{pool.metadata.name}/{model.name}", model.self_hosted)
        for model in sorted(pool.spec.models, key=lambda model: model.name)
        if model.self_hosted is not None
        and (model.self_hosted.endpoints.url is None or model.self_hosted.cost is not None)
    )
    name = TableName(namespace=pool.metadata.namespace, name=pool.metadata.name)
    return PoolEndpoints(pool=name, models=own) if own else None


def _own(name: str, given: SelfHosted) -> OwnModel:
    find, cost = _find(given.endpoints), given.cost
    return OwnModel(
        name=name,
        engine=given.engine,
        find=find,
        full=_full(given, given.saturation or Saturation()) if find else None,
        hour_cost=money.picodollars(cost.gpu_hour) * cost.gpus if cost else None,
    )


def _find(given: Endpoints) -> Find | None:
    if given.service is not None:
        return Find(service=given.service.name, port=given.service.port)
    if given.pod_selector is not None:
        return Find(labels=dict(given.pod_selector.match_labels), port=given.pod_selector.port)
    return None


def _full(given: SelfHosted, saturation: Saturation) -> Full:
    first_token_ms = milliseconds(saturation.max_first_token)
    if given.engine == "Custom":
        return Full(max_first_token_ms=first_token_ms)
    kv_cache = saturation.max_kv_cache_percent or bounds.KV_CACHE_FULL_PERCENT
    stale = saturation.metrics_stale_after
    return Full(
        max_queue=saturation.max_queue or bounds.QUEUE_FULL,
        max_kv_cache_percent=kv_cache if given.engine in SHOWS_KV_CACHE else None,
        max_first_token_ms=first_token_ms,
        metrics_stale_ms=bounds.METRICS_STALE_MS if stale is None else milliseconds(stale),
    )
