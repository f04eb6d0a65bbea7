"""A collector that is away, slow or mad costs spans, counted, and never a call."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.collector import SERVER, Collector, collecting
from support.eventually import eventually
from support.free_port import free_port
from support.line import Line, line

DROPPED = "pointsman_spans_dropped_total"
SPANS_A_CALL = 5
QUEUE, BATCH = 8192, 512
"""`limits::SPAN_QUEUE` and `limits::SPAN_BATCH`."""
CALLS = 20


@contextmanager
def traced(folder: Path, collector: str) -> Iterator[Line]:
    """One provider, and a sidecar that sends its spans there."""
    with line(folder, "a", POINTSMAN_OTLP_ENDPOINT=collector) as made:
        yield made


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that works until it is told otherwise."""
    with collecting() as made:
        yield made


def dropped(made: Line) -> float:
    """The metric."""
    return made.sidecar.metric(DROPPED)


def ask(made: Line, calls: int = CALLS) -> None:
    """All are answered, and none waits for the collector."""
    for _ in range(calls):
        began = time.monotonic()
        assert made.chat().status_code == 200
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("trouble", ["absent", "refusing", "away", "garbage"])
def test_a_collector_in_trouble_costs_spans_alone(
    tmp_path: Path, collector: Collector, trouble: str
) -> None:
    """Nobody listens, 500, 503, no HTTP: calls are answered, every span is counted once."""
    collector.status = {"refusing": 500, "away": 503}.get(trouble, 200)
    collector.garbage = trouble == "garbage"
    url = f"http://127.0.0.1:{free_port()}" if trouble == "absent" else collector.url
    with traced(tmp_path, url) as made:
        ask(made)
        eventually(lambda: dropped(made) == CALLS * SPANS_A_CALL, within_s=30)
        ask(made, calls=1)
        assert made.sidecar.alive()
        assert not collector.spans()


def test_what_a_collector_could_not_take_once_is_sent_again(
    tmp_path: Path, collector: Collector
) -> None:
    """A restart of the collector loses nothing: twice 503, then all of it."""
    collector.statuses = [503, 503]
    with traced(tmp_path, collector.url) as made:
        ask(made)
        eventually(lambda: len(collector.spans()) == CALLS * SPANS_A_CALL, within_s=30)
        assert len({span.id for span in collector.spans()}) == CALLS * SPANS_A_CALL
        assert dropped(made) == 0


def test_spans_that_a_collector_says_it_rejected_are_counted(
    tmp_path: Path, collector: Collector
) -> None:
    """A success may be partial."""
    collector.answer = b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}}'
    with traced(tmp_path, collector.url) as made:
        ask(made, calls=1)
        eventually(lambda: dropped(made) == 3)


def test_the_queue_before_a_slow_collector_is_bounded(tmp_path: Path, collector: Collector) -> None:
    """What finds no room is counted; nothing else is lost when the collector answers again."""
    collector.open.clear()
    with traced(tmp_path, collector.url) as made:
        calls = (QUEUE + BATCH) // SPANS_A_CALL + 100
        before_mib = made.sidecar.rss_mib()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: made.chat().status_code, range(calls)))
        assert set(answers) == {200}
        eventually(made.idle)
        assert made.sidecar.rss_mib() - before_mib < 60
        lost = dropped(made)
        assert lost > 0
        assert lost % SPANS_A_CALL == 0, "a call's spans are lost together or not at all"
        collector.open.set()
        sent = calls * SPANS_A_CALL - lost

        def all_there() -> bool:
            ids = {span.id for span in collector.spans()}
            return len(ids) == sent and dropped(made) == lost

        eventually(all_there, within_s=20)


def test_sigterm_sends_what_waits(tmp_path: Path, collector: Collector) -> None:
    """The calls of the last second, and those that the drain waits for, are in."""
    with traced(tmp_path, collector.url) as made:
        trace = secrets.token_hex(16)
        made.script("a", {"text": "word " * 20, "tokensPerSecond": 40})
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        with ThreadPoolExecutor(1) as pool:
            stream = pool.submit(made.stream, headers=headers)
            eventually(lambda: made.providers["a"].stats()["open"] == 1)
            assert made.sidecar.terminate() == 0
            assert stream.result().done
    [root] = [span for span in collector.spans(trace) if span.kind == SERVER]
    assert root.attributes["pointsman.outcome"] == "ok"
    assert len(collector.spans(trace)) == SPANS_A_CALL


@pytest.mark.parametrize("trouble", ["absent", "slow"])
def test_sigterm_waits_for_no_collector(tmp_path: Path, collector: Collector, trouble: str) -> None:
    """The process ends in time, with status 0, and its log says how many spans were lost."""
    collector.open.clear()
    url = f"http://127.0.0.1:{free_port()}" if trouble == "absent" else collector.url
    with traced(tmp_path, url) as made:
        ask(made)
        began = time.monotonic()
        assert made.sidecar.terminate() == 0
        assert time.monotonic() - began < 8
        log = made.sidecar.log.read_text()
    assert f"{CALLS * SPANS_A_CALL} spans" in log
