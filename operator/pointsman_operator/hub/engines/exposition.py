"""An engine's metrics page to the few figures that count. Pure; no value is trusted.

Names: vLLM 0.24 (recorded), earlier vLLM's KV gauge, SGLang, TGI, llama.cpp's server.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pointsman_operator.hub.engines import limits

Figure = Literal["waiting", "running", "kv", "preemptions", "tokens", "between_s", "between_n"]
NAMES: Mapping[str, Mapping[Figure, tuple[str, ...]]] = {
    "vLLM": {
        "waiting": ("vllm:num_requests_waiting",),
        "running": ("vllm:num_requests_running",),
        "kv": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        "preemptions": ("vllm:num_preemptions_total",),
        "tokens": ("vllm:generation_tokens_total",),
        "between_s": (
            "vllm:inter_token_latency_seconds_sum",
            "vllm:time_per_output_token_seconds_sum",
        ),
        "between_n": (
            "vllm:inter_token_latency_seconds_count",
            "vllm:time_per_output_token_seconds_count",
        ),
    },
    "SGLang": {
        "waiting": ("sglang:num_queue_reqs",),
        "running": ("sglang:num_running_reqs",),
        "kv": ("sglang:token_usage",),
        "preemptions": ("sglang:num_retracted_requests_total",),
        "tokens": ("sglang:generation_tokens_total",),
        "between_s": (
            "sglang:inter_token_latency_seconds_sum",
            "sglang:time_per_output_token_seconds_sum",
        ),
        "between_n": (
            "sglang:inter_token_latency_seconds_count",
            "sglang:time_per_output_token_seconds_count",
        ),
    },
    "TGI": {
        "waiting": ("tgi_queue_size",),
        "running": ("tgi_batch_current_size",),
        "tokens": ("tgi_request_generated_tokens_sum",),
        "between_s": ("tgi_request_mean_time_per_token_duration_sum",),
        "between_n": ("tgi_request_mean_time_per_token_duration_count",),
    },
    "LlamaCpp": {
        "waiting": ("llamacpp:requests_deferred",),
        "running": ("llamacpp:requests_processing",),
        "tokens": ("llamacpp:tokens_predicted_total",),
    },
}
"""Each figure's names, the newer first; an engine that is not here has no page."""
SLEEPS = "vllm:engine_sleep_state"
AWAKE = {"sleep_state": "awake"}
SHARE_MOST = 1.5
"""A share of the KV cache above this is no share."""


class ExpositionError(Exception):
    """The page is no metrics page; the message says where."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a page says; None: nothing that could be believed."""

    waiting: float | None = None
    running: float | None = None
    kv: float | None = None
    """0 to 1."""
    preemptions: float | None = None
    """Since the engine's start, as the three below."""
    tokens: float | None = None
    between_s: float | None = None
    between_n: float | None = None
    asleep: bool | None = None


def read(engine: str, page: str) -> Reading:
    """The figures of a page; raises `ExpositionError`."""
    names = NAMES.get(engine, {})
    wanted = {name for given in names.values() for name in given} | {SLEEPS}
    samples = _samples(page, wanted)
    figures: dict[Figure, float | None] = {}
    for figure, given in names.items():
        # Several samples are several engines behind one address, as with data parallelism.
        values = next((samples[name] for name in given if name in samples), [])
        figures[figure] = _believed(figure, [sample.value for sample in values])
    awake = [it.value for it in samples.get(SLEEPS, ()) if it.labels == it.labels | AWAKE]
    return Reading(asleep=any(value == 0 for value in awake) if awake else None, **figures)


def _samples(page: str, wanted: Iterable[str]) -> dict[str, list[Sample]]:
    """Only the wanted lines are parsed: a page has a thousand, and comes every second."""
    begins = tuple(name + end for name in wanted for end in ("{", " "))
    lines = "\n".join(line for line in page.split("\n") if line.startswith(begins))
    found: dict[str, list[Sample]] = {}
    try:
        for family in text_string_to_metric_families(lines + "\n"):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample)
    except (ValueError, IndexError, KeyError) as error:
        raise ExpositionError(str(error)[:200]) from error
    return found


def _believed(figure: Figure, values: list[float]) -> float | None:
    if not values or not all(
        math.isfinite(value) and 0 <= value <= limits.VALUE_MAX for value in values
    ):
        return None
    if figure != "kv":
        return sum(values)
    most = max(values)
    return min(most, 1.0) if most <= SHARE_MOST else None
