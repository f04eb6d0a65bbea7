"""Shares and levels: more load is never less full, and a level does not flicker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.compile.endpoints import Full
from pointsman_operator.hub.engines import limits
from pointsman_operator.hub.engines.endpoint import Endpoint
from pointsman_operator.hub.engines.exposition import Reading
from pointsman_operator.hub.engines.knee import Knee
from pointsman_operator.hub.engines.routers import Routers, Seen
from pointsman_operator.hub.engines.saturation import Gauge, Level, Signs, level, share

FULL = Full(max_queue=5, max_kv_cache_percent=80, max_first_token_ms=2_000, metrics_stale_ms=3_000)
SIZES = st.floats(0, 1e6, allow_nan=False)
SIGNS = st.builds(
    Signs,
    waiting=st.none() | SIZES,
    running=st.none() | st.floats(1, 1e6),
    kv=st.none() | st.floats(0, 1),
    preempting=st.booleans(),
    knee=st.none() | st.floats(1, 1e6),
    first_token_ms=st.none() | SIZES,
    between_ms=st.none() | SIZES,
    unloaded_between_ms=st.none() | SIZES,
)
RISING = ("waiting", "running", "kv", "first_token_ms", "between_ms")


@given(SIGNS, st.sampled_from(RISING), st.floats(1, 10))
def test_more_of_a_sign_is_never_less_full(signs: Signs, name: str, times: float) -> None:
    """Each sign alone, all others as they are."""
    before = getattr(signs, name)
    changed: dict[str, Any] = {name: None if before is None else before * times}
    more = replace(signs, **changed)
    assert share(more, FULL) >= share(signs, FULL) >= 0


@given(SIGNS, SIGNS)
def test_a_sign_that_is_not_known_says_nothing(signs: Signs, other: Signs) -> None:
    """Dropping signs never makes an endpoint fuller."""
    gone: dict[str, Any] = {name: None for name in RISING if getattr(other, name) is None}
    kept = replace(signs, **gone | {"running": signs.running})
    assert share(kept, FULL) <= share(signs, FULL)


@pytest.mark.parametrize(
    ("signs", "found"),
    [
        (Signs(waiting=5), 1.0),
        (Signs(kv=0.8), 1.0),
        (Signs(first_token_ms=2_000), 1.0),
        (Signs(preempting=True), 1.0),
        (Signs(running=30, knee=40), 0.75),
        (Signs(between_ms=42, unloaded_between_ms=7), 1.0),
        (Signs(waiting=0, running=0, first_token_ms=9_000), 0.0),
        (Signs(), 0.0),
    ],
)
def test_each_sign_has_its_own_full(signs: Signs, found: float) -> None:
    """And an engine with nobody in it is free, whatever routers remember."""
    assert share(signs, FULL) == pytest.approx(found)


@given(st.floats(0, 10), st.sampled_from(Level))
def test_levels_are_reached_at_their_share_and_left_below_it(part: float, before: Level) -> None:
    """A share that stays keeps its level, and what is well below falls at once."""
    found = level(part, before)
    assert level(part, found) is found
    assert found >= level(part, Level.IDLE)
    if part < 0.2:
        assert found is Level.IDLE


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 5)), max_size=30))
def test_an_endpoint_without_load_is_idle_within_ten_seconds(
    history: list[tuple[float, float]],
) -> None:
    """However full it was: what overflowed comes back."""
    gauge, now_s = Gauge(), 0.0
    for part, passed_s in history:
        now_s += passed_s
        assert gauge.take(part, now_s) >= level(part, Level.IDLE)
    for second in range(1, 11):
        gauge.take(0.0, now_s + second)
    assert gauge.level is Level.IDLE


def test_old_figures_count_for_nothing() -> None:
    """After `metricsStaleAfter` only what routers see remains."""
    endpoint = Endpoint("http://10.0.0.1:8000")
    endpoint.take(Reading(waiting=50, running=9), 100.0)
    assert endpoint.look(FULL, 102.0) is Level.FULL
    endpoint.gauge = Gauge()
    assert endpoint.look(FULL, 104.0) is Level.IDLE
    endpoint.routers.take("a", "1", Seen(first_token_ms=5_000, served=1), 104.0)
    assert endpoint.look(FULL, 104.0) is Level.FULL


def test_an_engine_that_began_anew_is_judged_anew() -> None:
    """Counters that fell are another engine's; so is what was learnt of its pace."""
    endpoint = Endpoint("http://10.0.0.1:8000")
    for second, (between_s, between_n, tokens) in enumerate(
        [(0.0, 0, 0), (0.7, 100, 100), (0.1, 1, 5), (0.5, 11, 15)]
    ):
        reading = Reading(between_s=between_s, between_n=between_n, tokens=tokens, running=1)
        endpoint.take(reading, float(second))
        endpoint.look(FULL, float(second))
    assert endpoint.gauge.level is Level.IDLE


def test_sleep_lasts_until_a_page_says_otherwise() -> None:
    """An engine that answers nothing is not awake."""
    endpoint = Endpoint("http://10.0.0.1:8000")
    endpoint.ready = endpoint.asked = True
    endpoint.take(Reading(asleep=True), 0.0)
    endpoint.take(Reading(), 1.0)
    assert not endpoint.usable
    endpoint.take(Reading(asleep=False), 2.0)
    assert endpoint.usable


def test_the_median_of_the_pods_counts_and_fades() -> None:
    """Most of those whose calls were answered of late; who is silent has no voice."""
    routers = Routers()
    for name, first_ms in (("a", 100.0), ("b", 120.0), ("c", 9_000.0)):
        routers.take(name, "1", Seen(served=0), 0.0)
        routers.take(name, "1", Seen(first_token_ms=first_ms, served=1), 1.0)
    assert routers.first_token_ms(1.0) == (120.0, 120.0, True)
    routers.take("a", "1", Seen(first_token_ms=101.0, served=2), 15.0)
    assert routers.first_token_ms(15.0) == (101.0, 101.0, False)
    assert routers.first_token_ms(120.0) is None


def test_a_hostile_reporter_pushes_nobody_off() -> None:
    """One pod that claims slow tokens, any number of calls, starts and restarts."""
    calls, slow = limits.REPORTED_COUNT_MAX, limits.REPORTED_MS_MAX
    endpoint, levels = Endpoint("http://10.0.0.1:8000"), set()
    for second in range(200):
        now_s = float(second)
        between_ms = slow if second % 2 else 1e-6
        lies = Seen(first_token_ms=slow, between_tokens_ms=between_ms, served=calls)
        for boot in range(50):
            endpoint.routers.take("hostile", f"{second}-{boot}", lies, now_s)
        for pod in ("honest", "other"):
            # For a minute they have nothing to ask: then the lie is the only word.
            served = second if second < 70 or second >= 130 else 70
            said = Seen(first_token_ms=100 + served % 3, between_tokens_ms=9, served=served)
            endpoint.routers.take(pod, "1", said, now_s)
        endpoint.take(Reading(running=4, waiting=0), now_s)
        alone = second < 10 or 70 < second < 140
        levels.add((alone, endpoint.look(FULL, now_s)))
    assert Level.FULL not in {level for _, level in levels}
    assert {level for lone, level in levels if not lone} <= {Level.IDLE, Level.LIGHT}


def test_two_pods_are_believed_and_so_is_the_only_one() -> None:
    """An engine whose own figures are blind is still known to be full by those who wait for it."""
    for pods in (("a",), ("a", "b")):
        endpoint = Endpoint("http://10.0.0.1:8000")
        for pod in pods:
            endpoint.routers.take(pod, "1", Seen(first_token_ms=5_000, served=1), 0.0)
        assert endpoint.look(FULL, 0.0) is Level.FULL
    endpoint.routers.take("c", "1", Seen(first_token_ms=5_000, served=1), 60.0)
    assert endpoint.look(FULL, 60.0) is Level.HEAVY


def test_an_app_that_streams_no_more_leaves_no_first_token_behind() -> None:
    """Plain answers say nothing of first tokens: what slow streams left fades while they go on."""
    routers = Routers()
    for second in range(60):
        slow = Seen(first_token_ms=9_000 + min(second, 5), served=second + 1)
        routers.take("app", "1", slow, float(second))
        assert second > 5 or routers.first_token_ms(second) is not None
    assert routers.first_token_ms(60.0) is None


def test_a_knee_needs_throughput_that_stays_and_first_tokens_that_grow() -> None:
    """Rising throughput has no knee, nor has a lull; a front end that is full has one."""
    rising, flat, lull = Knee(), Knee(), Knee()
    for second in range(200):
        running = float(4 * (second // 10 + 1))
        rising.take(running, 50 * running, 30 + running, second)
        flat.take(running, min(50 * running, 2_000), 30 if running < 40 else 3 * running, second)
        lull.take(running, min(50 * running, 2_000), 30, second)
    assert rising.found(200) is None
    assert lull.found(200) is None
    found = flat.found(200)
    assert found is not None
    assert 30 <= found <= 45
    assert flat.found(2_000) is None
