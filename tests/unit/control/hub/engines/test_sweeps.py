"""The levels of a real vLLM under load come out right, also where its own gauges are blind."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from pointsman_operator.compile.endpoints import Full
from pointsman_operator.hub.engines.endpoint import Endpoint
from pointsman_operator.hub.engines.exposition import Reading
from pointsman_operator.hub.engines.routers import Seen
from pointsman_operator.hub.engines.saturation import Level

FULL = Full(max_queue=5, max_kv_cache_percent=80, max_first_token_ms=2_000, metrics_stale_ms=3_000)
ROWS = list(csv.DictReader((Path(__file__).parent / "vllm_sweeps.csv").read_text().splitlines()))
BETWEEN_RATES_S = 10


def replayed(front_ends: str, *, routers: bool = True) -> dict[int, list[Level]]:
    """The endpoint's level second by second, by requests a second."""
    endpoint, now_s, served, rate = Endpoint("http://10.0.0.1:8000"), 0.0, 0, ""
    levels: dict[int, list[Level]] = defaultdict(list)
    for row in (row for row in ROWS if row["front_ends"] == front_ends):
        now_s += 1 if row["rate"] == rate else BETWEEN_RATES_S
        rate = row["rate"]
        served += int(row["first_tokens"])
        reading = Reading(
            waiting=float(row["waiting"]),
            running=float(row["running"]),
            kv=float(row["kv"]),
            preemptions=float(row["preemptions"]),
            tokens=float(row["generated"]),
        )
        endpoint.take(reading, now_s)
        if routers and int(row["first_tokens"]):
            first, between = float(row["first_token_ms"]), float(row["between_ms"])
            seen = Seen(first_token_ms=first, between_tokens_ms=between, served=served)
            endpoint.routers.take("router", "1", seen, now_s)
        levels[int(rate)].append(endpoint.look(FULL, now_s))
    return levels


def test_a_full_front_end_is_seen_although_the_engine_tells_of_no_queue() -> None:
    """At 64 a second nobody waits in the engine and a third of the KV cache is used: Full."""
    at_64 = [row for row in ROWS if (row["front_ends"], row["rate"]) == ("one", "64")]
    assert max(int(row["waiting"]) for row in at_64) == 0
    assert max(float(row["kv"]) for row in at_64) < 0.4
    levels = replayed("one")
    assert max(levels[8] + levels[16]) is Level.IDLE
    assert max(levels[32]) <= Level.LIGHT
    assert levels[48][-1] is Level.FULL
    assert set(levels[64][-8:]) == {Level.FULL}


def test_without_the_routers_times_that_would_be_missed() -> None:
    """So what sidecars see is no luxury: the engine's own figures do not reach Full."""
    assert max(replayed("one", routers=False)[64]) < Level.BUSY


@pytest.mark.parametrize(
    ("rate", "least", "most"),
    [
        (24, Level.IDLE, Level.IDLE),
        (48, Level.IDLE, Level.IDLE),
        (72, Level.LIGHT, Level.BUSY),
        (96, Level.HEAVY, Level.FULL),
        (144, Level.FULL, Level.FULL),
    ],
)
def test_a_full_engine_is_seen_by_its_kv_cache_its_queue_and_its_preemptions(
    rate: int, least: Level, most: Level
) -> None:
    """First tokens hardly move here: 124 ms where everything is full."""
    assert least <= max(replayed("six")[rate]) <= most
