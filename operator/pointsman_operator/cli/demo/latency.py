"""What the way through costs in time: the same call direct and through, in turn."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles

import httpx

from pointsman_operator.cli.demo.audit import DIRECT

PAIRS = 200
WARM_UP = 20
TEAM = "latency"
INSTANT = {"firstTokenMs": 0, "tokensPerSecond": 0, "outputTokens": 16}
"""What the provider does meanwhile, so that its own time does not hide ours."""
PERCENTILES = {"p50": 49, "p90": 89, "p99": 98}


@dataclass(frozen=True)
class Latency:
    """Microseconds, by percentile: direct, through, and their difference."""

    direct: dict[str, float]
    through: dict[str, float]

    @property
    def added(self) -> dict[str, float]:
        """Differences of quantiles."""
        return {name: self.through[name] - self.direct[name] for name in PERCENTILES}


def measure(
    direct_url: str, through_url: str, upstream: str, name: str, done: Callable[[], None]
) -> Latency:
    """Pairs of plain calls on kept-alive connections; the provider answers at once."""
    times: dict[str, list[float]] = {"direct": [], "through": []}
    with httpx.Client(trust_env=False) as client:
        for number in range(WARM_UP + PAIRS):
            pair = [("direct", direct_url, upstream), ("through", through_url, name)]
            for way, url, model in pair if number % 2 else reversed(pair):
                took = one(client, url, model, direct=way == "direct")
                if number >= WARM_UP:
                    times[way].append(took)
            done()
    cuts = {way: quantiles(values, n=100) for way, values in times.items()}
    found = {
        way: {label: values[index] for label, index in PERCENTILES.items()}
        for way, values in cuts.items()
    }
    return Latency(found["direct"], found["through"])


def one(client: httpx.Client, url: str, model: str, *, direct: bool) -> float:
    """One call in microseconds; an answer that is not 200 ends the measurement."""
    body = {"model": model, "messages": [{"role": "user", "content": "How are you today?"}]}
    headers = {"x-pointsman-team": TEAM}
    if direct:
        headers["x-client-request-id"] = f"{DIRECT}{uuid.uuid4()}.1"
    began = time.perf_counter()
    answer = client.post(f"{url}/chat/completions", json=body, headers=headers)
    took = time.perf_counter() - began
    answer.raise_for_status()
    return took * 1e6
