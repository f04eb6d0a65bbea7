"""Engines' pages: their own names are found, and no value is believed that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.hub.engines.exposition import NAMES, ExpositionError, Reading, read

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 99.0
vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="awake"} 1.0
vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="discard_all"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75
vllm:num_preemptions_total{engine="0",model_name="m"} 5.0
vllm:num_preemptions_created{engine="0",model_name="m"} 1.795367046863538e+09
vllm:generation_tokens_total{engine="0",model_name="m"} 780183.0
vllm:inter_token_latency_seconds_bucket{engine="0",le="0.01",model_name="m"} 352238.0
vllm:inter_token_latency_seconds_count{engine="0",model_name="m"} 776876.0
vllm:inter_token_latency_seconds_sum{engine="0",model_name="m"} 11978.14018681519
"""


def test_a_page_of_vllm() -> None:
    """Engines behind one address are added up; of their KV caches the fullest counts."""
    assert read("vLLM", VLLM) == Reading(
        waiting=2,
        running=7,
        kv=0.75,
        preemptions=5,
        tokens=780183,
        between_s=11978.14018681519,
        between_n=776876,
        asleep=False,
    )


def test_a_sleeping_engine_is_told() -> None:
    """The gauge `awake` at 0 is the sign; without the gauge nothing is known."""
    asleep = VLLM.replace('sleep_state="awake"} 1.0', 'sleep_state="awake"} 0.0')
    assert read("vLLM", asleep).asleep is True
    assert read("vLLM", "vllm:num_requests_running 1\n").asleep is None


@pytest.mark.parametrize(
    ("engine", "page", "found"),
    [
        (
            "SGLang",
            'sglang:num_running_reqs{tp="0"} 2\nsglang:num_queue_reqs 3\nsglang:token_usage 0.5\n',
            Reading(waiting=3, running=2, kv=0.5),
        ),
        (
            "TGI",
            "tgi_queue_size 4\ntgi_batch_current_size 8\n",
            Reading(waiting=4, running=8),
        ),
        (
            "LlamaCpp",
            "llamacpp:requests_processing 2\nllamacpp:requests_deferred 4\n",
            Reading(waiting=4, running=2),
        ),
        ("Custom", "anything 1\n", Reading()),
        ("vLLM", "vllm:gpu_cache_usage_perc 0.5\n", Reading(kv=0.5)),
    ],
)
def test_each_engine_by_its_own_names(engine: str, page: str, found: Reading) -> None:
    """What an engine does not tell is not known."""
    assert read(engine, page) == found


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", "1e300"])
def test_values_that_cannot_be_are_not_believed(value: str) -> None:
    """One such value costs its figure, not the page."""
    page = f"vllm:num_requests_waiting {value}\nvllm:num_requests_running 2\n"
    assert read("vLLM", page) == Reading(running=2)


def test_a_share_above_one_is_none() -> None:
    """A percentage where a share belongs would call every engine full."""
    assert read("vLLM", "vllm:kv_cache_usage_perc 42\n").kv is None


def test_a_page_that_is_none_is_said() -> None:
    """A line that cannot be read is an error, so the old figures grow stale and are dropped."""
    with pytest.raises(ExpositionError):
        read("vLLM", "vllm:num_requests_waiting {{{\n")


@given(st.sampled_from(sorted(NAMES)), st.text(max_size=200))
def test_any_text_is_read_or_refused(engine: str, text: str) -> None:
    """What an engine answers is its own affair; we end in one of two ways."""
    page = f"{NAMES[engine]['waiting'][0]} {text}"
    try:
        found = read(engine, page)
    except ExpositionError:
        return
    assert found.waiting is None or found.waiting >= 0
