"""From runs to rows.

Each has a value, an interval, the hyper proxy's value beside it, and how it was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.intervals import Estimate, mean, quantile_difference, quantile_mean, ratio
from bench.load import Run
from bench.measure import ROUNDS_COUNTED_MIN, Results
from bench.stages import stage_means_us
from bench.subject import Subject

NS_PER_US = 1e-3
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True)
class Row:
    """One line of the table and one object of build/bench.json."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    baseline: float | None
    """The same of the hyper proxy."""
    ratio: float | None
    """value / baseline."""
    method: str


def rows(results: Results, subject: Subject | None) -> list[Row]:
    """All rows that the results allow."""
    found = [
        *_latencies(results),
        *_throughput(results),
        *_open_loop(results),
        *_fixed(results),
        *_translated(results),
        *_secure(results),
        *_streams(results),
    ]
    if subject is not None:
        method = "VmRSS of the sidecar's process after 100 requests, before the rounds"
        found.append(_row("rss_idle_mib", "MiB", mean([subject.rss_idle_mib]), None, method))
        found += _stages(results, subject)
    return found


def _stages(results: Results, subject: Subject) -> Iterator[Row]:
    """The sidecar's own clock under full load, from the decisions that reached the hub."""
    if results.has("throughput", "sidecar"):
        method = "c=64 closed loop: trimmed mean of the stage in the decisions that reached the hub"
        means = stage_means_us(subject.hub_database, results.of("throughput", "sidecar"))
        for stage, values in means.items():
            yield _row(f"stage_{stage}_us", "us", mean(values), None, method)


def _latencies(results: Results) -> Iterator[Row]:
    """Closed loop, one connection: what each proxy adds to the origin's own quantiles."""
    sizes = (("latency_1kb", "", "1 KB"), ("latency_10kb", "_10kb", "10 KB"))
    for case, suffix, size in (*sizes, ("latency_200kb", "_200kb", "200 KB")):
        for label, q in QUANTILES.items():
            method = (
                f"c=1 closed loop, {size} bodies, windows of half a second by turns on cores "
                f"that never halt: {label} less the origin's of the same turn"
            )
            yield from _added(results, case, f"added_{label}_us{suffix}", q, method)


def _added(results: Results, case: str, name: str, q: float, method: str) -> Iterator[Row]:
    """The difference of quantiles to the origin for every proxy that ran the case."""
    baseline = None
    for target, prefix in (("hyper", "hyper_"), ("nginx", "nginx_"), ("sidecar", "")):
        if not (results.has(case, target) and results.has(case, "direct")):
            continue
        direct = results.samples(case, "direct")
        found = quantile_difference(results.samples(case, target), direct, q).times(NS_PER_US)
        yield _row(prefix + name, "us", found, baseline, method)
        if target == "hyper":
            baseline = found.value


def _translated(results: Results) -> Iterator[Row]:
    """What it takes to speak to a model in another format than the caller's, there and back."""
    cases = ("latency_translated", "latency_fixed")
    if not all(results.has(case, "sidecar") for case in cases):
        return
    translated, same = (results.samples(case, "sidecar") for case in cases)
    for label in ("p50", "p99"):
        method = (
            f"c=1 closed loop, 1 KB chat bodies, one candidate: {label} to Anthropic's format less "
            f"{label} to the same format, windows of half a second on cores that never halt"
        )
        found = quantile_difference(translated, same, QUANTILES[label]).times(NS_PER_US)
        yield _row(f"translation_added_{label}_us", "us", found, None, method)


def _throughput(results: Results) -> Iterator[Row]:
    """Closed loop, 64 connections: requests a second and CPU a request, core 0 the limit."""
    yield from _rate(
        results, "throughput", "throughput_rps_c64", "c=64 closed loop, core 0 >= 95 % busy"
    )
    method = "c=64 closed loop: user and system time of all threads over the window / requests"
    yield from _compared(results, "throughput", "cpu_us_per_request", "us", _cpu_request, method)
    if results.has("throughput", "sidecar"):
        own, other = (
            [_cpu_request(one) for one in results.of("throughput", target)]
            for target in ("sidecar", "hyper")
        )
        method = "CPU a request of the sidecar / of the hyper proxy, round by round, c=64"
        yield _row("cpu_ratio_to_hyper", "ratio", ratio(own, other), None, method)


def _open_loop(results: Results) -> Iterator[Row]:
    for share in (25, 50, 75):
        for label in ("p50", "p99"):
            method = (
                f"open loop at {share} % of the sidecar's c=64 rate, latency from the due time: "
                f"{label} less the origin's"
            )
            name = f"open{share}_added_{label}_us"
            yield from _added(results, f"open{share}", name, QUANTILES[label], method)


def _fixed(results: Results) -> Iterator[Row]:
    if not results.has("fixed", "sidecar"):
        return
    method = "as throughput_rps_c64, a rule with one candidate: no features, no scores"
    yield from _against_hyper(
        results, "fixed", "fixed_throughput_rps_c64", "requests/s", _rps, method
    )
    method = "as cpu_us_per_request, a rule with one candidate: no features, no scores"
    yield from _against_hyper(
        results, "fixed", "fixed_cpu_us_per_request", "us", _cpu_request, method
    )


def _secure(results: Results) -> Iterator[Row]:
    if not results.has("latency_tls", "sidecar"):
        return
    direct = results.samples("latency_1kb", "direct")
    hyper = quantile_difference(results.samples("latency_1kb", "hyper"), direct, 0.5)
    for label in ("p50", "p99"):
        own = results.samples("latency_tls", "sidecar")
        found = quantile_difference(own, direct, QUANTILES[label]).times(NS_PER_US)
        method = (
            f"c=1, upstream over TLS and HTTP/2: {label} less the plain origin's; baseline plain"
        )
        baseline = hyper.times(NS_PER_US).value if label == "p50" else None
        yield _row(f"tls_h2_added_{label}_us", "us", found, baseline, method)
    method = "c=64, upstream over TLS and HTTP/2; baseline: the hyper proxy over plain HTTP/1.1"
    for name, unit, read in (
        ("tls_h2_throughput_rps_c64", "requests/s", _rps),
        ("tls_h2_cpu_us_per_request", "us", _cpu_request),
    ):
        yield from _against_hyper(results, "throughput_tls", name, unit, read, method)


def _streams(results: Results) -> Iterator[Row]:
    for label in ("p50", "p99"):
        name = "ttft_added_us" if label == "p50" else f"ttft_added_{label}_us"
        method = f"c=1 streams, time to the first content: {label} less the origin's"
        yield from _added(results, "first_token", name, QUANTILES[label], method)
    paced = "2,000 streams at 20 chunks/s each, all delivered and checked: "
    for name, unit, read, method in (
        ("cpu_us_per_chunk", "us", _cpu_chunk, "CPU over the window / chunks"),
        ("streams_core_busy_percent", "%", _busy, "core 0 busy"),
        ("rss_loaded_mib", "MiB", _rss, "VmRSS at the end of the window"),
    ):
        yield from _compared(results, "streams", name, unit, read, paced + method)
    if results.has("streams", "sidecar"):
        for target, prefix in (("hyper", "hyper_"), ("sidecar", "")):
            found = quantile_mean(results.samples("streams", target), 0.5).times(NS_PER_US)
            method = paced + "p50 of the time to the first content"
            yield _row(f"{prefix}streams_ttft_p50_us", "us", found, None, method)


def _rate(results: Results, case: str, name: str, method: str) -> Iterator[Row]:
    """Requests a second of the rounds that count."""
    baseline = None
    for target, prefix in (("hyper", "hyper_"), ("nginx", "nginx_"), ("sidecar", "")):
        if not results.has(case, target):
            continue
        counted = results.bound(case, target)
        if len(counted) < min(ROUNDS_COUNTED_MIN, len(results.of(case, target))):
            continue
        found = mean([one.rps for one in counted])
        yield _row(prefix + name, "requests/s", found, baseline, method)
        if target == "hyper":
            baseline = found.value


def _compared(
    results: Results, case: str, name: str, unit: str, read: Callable[[Run], float], method: str
) -> Iterator[Row]:
    """A figure of each run, for every proxy."""
    baseline = None
    for target, prefix in (("hyper", "hyper_"), ("nginx", "nginx_"), ("sidecar", "")):
        if not results.has(case, target):
            continue
        found = mean([read(one) for one in results.of(case, target)])
        yield _row(prefix + name, unit, found, baseline, method)
        if target == "hyper":
            baseline = found.value


def _against_hyper(
    results: Results, case: str, name: str, unit: str, read: Callable[[Run], float], method: str
) -> Iterator[Row]:
    """A figure of the sidecar, beside the hyper proxy's of the throughput case."""
    runs: Sequence[Run] = results.of(case, "sidecar")
    if read is _rps:
        runs = results.bound(case, "sidecar")
    if runs:
        baseline = mean([read(one) for one in results.of("throughput", "hyper")]).value
        yield _row(name, unit, mean([read(one) for one in runs]), baseline, method)


def _row(name: str, unit: str, found: Estimate, baseline: float | None, method: str) -> Row:
    share = found.value / baseline if baseline else None
    return Row(name, unit, found.value, found.low, found.high, baseline, share, method)


def _rps(one: Run) -> float:
    return one.rps


def _cpu_request(one: Run) -> float:
    return one.cpu_us_per_request


def _cpu_chunk(one: Run) -> float:
    return one.cpu_us_per_chunk


def _busy(one: Run) -> float:
    return one.used.busy * 100


def _rss(one: Run) -> float:
    return one.rss_mib
