"""A model that the user runs: its engine, its endpoints, when they are full, what their hours cost.

Deploying and scaling engines is not offered yet, so no field promises it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pointsman_operator.api import bounds
from pointsman_operator.api.durations import Duration, between
from pointsman_operator.api.meta import Name, Region, Struct, Text, Url
from pointsman_operator.api.money import GpuHourUsd
from pointsman_operator.api.rules import Rule

Engine = Literal["vLLM", "SGLang", "TGI", "LlamaCpp", "Custom"]
SHOWS_KV_CACHE = frozenset({"vLLM", "SGLang"})
"""Engines that tell how full their KV cache is."""
Port = Annotated[int, Field(ge=1, le=bounds.PORT)]
LabelValue = Annotated[str, Field(max_length=bounds.NAME_LENGTH)]


class ServiceRef(Struct):
    """A Service of the pool's own namespace; each of its endpoints is balanced by itself."""

    name: Name
    """The Service."""
    port: Port
    """The Service's port, not the pods'."""


class PodSelector(Struct):
    """Pods of the pool's own namespace, by label; those that are ready are called."""

    match_labels: Annotated[
        dict[str, LabelValue], Field(min_length=1, max_length=bounds.LABELS_PER_SELECTOR)
    ]
    """All must be on a pod."""
    port: Port
    """Where the pods' server listens."""


class Endpoints(Struct):
    """Where a self-hosted model answers."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.url), has(self.service), has(self.podSelector)].filter(x, x).size() "
            "== 1",
            message="exactly one of url, service and podSelector",
            holds=lambda e: sum(one is not None for one in (e.url, e.service, e.pod_selector)) == 1,
        ),
    )

    url: Url | None = None
    """One fixed address: base URL with the prefix, for example http://vllm.models:8000/v1."""
    service: ServiceRef | None = None
    """The endpoints of a Service, each watched and balanced by itself. Needs a cluster."""
    pod_selector: PodSelector | None = None
    """Pods without a Service. Needs a cluster."""


class Saturation(Struct):
    """When an endpoint counts as full; the strongest sign decides.

    Beside these: the time between tokens against its unloaded value, preemptions, and the number of
    running calls from which on throughput was seen to rise no more.
    """

    max_queue: Annotated[int, Field(ge=1, le=bounds.QUEUE)] | None = None
    """Waiting calls, as the engine tells; default 5."""
    max_kv_cache_percent: Annotated[
        Annotated[int, Field(ge=1, le=bounds.PERCENT)] | None, Field(alias="maxKVCachePercent")
    ] = None
    """Used KV cache, as vLLM and SGLang tell; default 80."""
    max_first_token: Annotated[Duration, between("10ms", "10m")] = "2s"  # noqa: S105 - a duration
    """Time to the first token, as routers see it: some engines are full and tell of no queue."""
    metrics_stale_after: Annotated[Duration, between("1s", "5m")] | None = None
    """The engine's own figures count for nothing when they are older; default 3s."""


class SelfHostedCost(Struct):
    """What the accelerators cost, and whether a call is charged for it."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.amortise == 'Usage') == has(self.tokensPerSecond)",
            message="tokensPerSecond belongs to amortise: Usage, which needs it",
            holds=lambda c: (c.amortise == "Usage") == (c.tokens_per_second is not None),
        ),
    )

    gpu_hour: GpuHourUsd
    """Dollars that one accelerator costs an hour, as a decimal string."""
    gpus: Annotated[int, Field(ge=1, le=bounds.GPUS)] = 1
    """Accelerators behind each endpoint."""
    amortise: Literal["Reserved", "Usage"] = "Usage"
    """`Usage`: a token costs gpuHour x gpus / 3600 / tokensPerSecond, rounded up to a picodollar.
    `Reserved`: the hours are paid for anyway, so a call costs nothing more; the hub's metrics show
    what they cost."""
    tokens_per_second: Annotated[int, Field(ge=1, le=bounds.TOKENS_PER_SECOND)] | None = None
    """Prompt and answer tokens together that an endpoint processes each second at the load you
    expect."""


class SelfHosted(Struct):
    """A model that you run yourself."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.saturation) || !has(self.endpoints.url)",
            message="saturation needs endpoints.service or endpoints.podSelector: nobody sees "
            "how full what is behind a url is",
            holds=lambda s: s.saturation is None or s.endpoints.url is None,
        ),
        Rule(
            cel="!has(self.saturation) || !has(self.saturation.maxKVCachePercent) "
            "|| self.engine in ['SGLang', 'vLLM']",
            message="saturation.maxKVCachePercent acts with engines vLLM and SGLang only",
            holds=lambda s: (
                s.saturation is None
                or s.saturation.max_kv_cache_percent is None
                or s.engine in SHOWS_KV_CACHE
            ),
        ),
        Rule(
            cel="!has(self.saturation) || self.engine != 'Custom' || "
            "(!has(self.saturation.maxQueue) && !has(self.saturation.metricsStaleAfter))",
            message="with engine Custom no metrics are read: only saturation.maxFirstToken acts",
            holds=lambda s: (
                s.saturation is None
                or s.engine != "Custom"
                or (s.saturation.max_queue, s.saturation.metrics_stale_after) == (None, None)
            ),
        ),
    )

    engine: Engine
    """The server that runs it; decides which metrics are read, and which field caps an answer."""
    endpoints: Endpoints
    """Where it answers."""
    served_model_name: Text
    """The name that the server knows it by."""
    region: Region | None = None
    """Where it runs, for `constraints` and `residency`."""
    saturation: Saturation | None = None
    """When an endpoint counts as full, so that others are preferred; defaults where it is not
    said."""
    cost: SelfHostedCost | None = None
    """What its hours cost; alternatively `pricing`."""
