"""The injector at a hundred pods a second: its answers to reviews, directly and as webhook.

One injector process with its lists taken from a real API server. First reviews are posted to it
over TLS, then pods are created through the API server (dry runs: admission is whole, nothing is
stored). Both are open loops: the next one starts on time whether or not the last one was answered.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.control_plane import ControlPlane
from harness.fixtures import fresh_namespace
from scale.rows import Row
from scale.size import Size
from scale.watched import load, processor_s
from support.injection_world import InjectionWorld, plain
from support.injector_process import InjectorProcess
from support.reviews import patch_of, review

NAME, SECONDS = "webhook-reviews", 90
RATE, SPAN_S, AT_ONCE, WARM = 100, 20.0, 16, 200
P99_MS = 20.0
_BUCKET = re.compile(
    r'^apiserver_admission_webhook_admission_duration_seconds_bucket\{(.*)le="(.*?)"\} (\d+)'
)


def measure(folder: Path, size: Size) -> list[Row]:
    """`SPAN_S x size.share` seconds of each."""
    count = max(RATE, int(RATE * SPAN_S * size.share))
    with ControlPlane() as cluster:
        world = InjectionWorld.installed(cluster, folder)
        try:
            world.start()
            assert world.injector is not None
            with fresh_namespace(cluster, "scale", {"pointsman.dev/injection": "enabled"}) as name:
                world.in_force(name)
                direct, busy_ms = _direct(world.injector, cluster, count)
                before = _within_25_ms(cluster)
                whole = at_rate(lambda: world.tried(name), count)
                after = _within_25_ms(cluster)
            with fresh_namespace(cluster, "bare") as bare:
                without = at_rate(lambda: world.tried(bare), count)
        finally:
            world.close()
    share = (after[0] - before[0]) * 100 / max(1, after[1] - before[1])
    told = f"review posted to answer read, {count:,} at {RATE}/s over TLS; load {load()}"
    return [
        Row(NAME, "direct_p99", _at(direct, 99), "ms", told, at_most=P99_MS),
        Row(NAME, "direct_p50", _at(direct, 50), "ms", "the same"),
        Row(NAME, "cpu_per_review", busy_ms, "ms", "injector's processor time, direct"),
        Row(NAME, "api_server_within_25_ms", share, "%", "of webhook calls, as it counted them"),
        Row(NAME, "create_p99", _at(whole, 99), "ms", "a pod's creation, webhook included"),
        Row(NAME, "create_bare_p99", _at(without, 99), "ms", "the same without the webhook"),
    ]


def _direct(
    injector: InjectorProcess, cluster: ControlPlane, count: int
) -> tuple[list[float], float]:
    """Milliseconds of each review, ordered, and the injector's processor time for one."""
    trust = ssl.create_default_context(cadata=cluster.ca)
    document = review(plain(namespace="shop"))
    with injector.client(trust) as http:

        def ask() -> None:
            answer = http.post("/mutate/pods/enabled", json=document)
            answer.raise_for_status()
            if not patch_of(answer):
                raise RuntimeError(f"not injected: {answer.text}")

        at_rate(ask, WARM)
        busy_s = processor_s(injector.pid)
        waits = at_rate(ask, count)
        return waits, (processor_s(injector.pid) - busy_s) * 1000 / count


def at_rate(work: Callable[[], object], count: int) -> list[float]:
    """Run it `count` times at `RATE` a second; milliseconds of each, ordered."""

    def timed() -> float:
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) * 1000

    with ThreadPoolExecutor(AT_ONCE) as workers:
        began = time.monotonic()
        running = []
        for number in range(count):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            running.append(workers.submit(timed))
        return sorted(one.result() for one in running)


def _within_25_ms(cluster: ControlPlane) -> tuple[int, int]:
    """Calls of our pod webhooks that took at most 25 ms, and all of them."""
    page = cluster.kubectl("get", "--raw", "/metrics")
    fast = everything = 0
    for line in page.splitlines():
        found = _BUCKET.match(line)
        if found and "pointsman" in found[1]:
            fast += int(found[3]) if found[2] == "0.025" else 0
            everything += int(found[3]) if found[2] == "+Inf" else 0
    return fast, everything


def _at(ordered: list[float], percent: int) -> float:
    return ordered[len(ordered) * percent // 100]
