"""The controller's metrics, all behind `pointsman_controller_`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PREFIX = "pointsman_controller_"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """One registry a controller, so that several live side by side in a test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._done = self._counter("reconcile", "Work done.", "step", "result")
        self._took = self._histogram(
            "reconcile_duration_seconds", "Time of one piece of work.", "step"
        )
        self._publish = self._histogram(
            "publish_seconds", "From a table's turn to the hub's answer."
        )
        self.leads = self._gauge("is_leader", "1 while this process may write.")
        self.queue = self._gauge("queue_depth", "Pieces of work that are due or in hand.")
        self.objects = self._gauge("objects", "Resources known.", "kind")
        self.age = self._gauge("watch_age_seconds", "Since the server last spoke.", "watch")
        self.relists = self._gauge("watch_lists", "Lists that a watch began with.", "watch")
        self.missed = self._counter(
            "watch_missed", "Changes that kopf did not tell in time; the comparison found them."
        )
        self.hub_answers = self._gauge("hub_answers", "1 while the hub answers.")
        self.expiry = self._gauge(
            "certificate_expiry_timestamp_seconds", "When a certificate ends.", "certificate"
        )

    @contextmanager
    def reconciling(self, step: str, expected: tuple[type[Exception], ...]) -> Iterator[None]:
        """Count and time one piece of work."""
        began = time.perf_counter()
        try:
            yield
        except expected as error:
            self._done.labels(step, type(error).__name__).inc()
            raise
        else:
            self._done.labels(step, "ok").inc()
        finally:
            self._took.labels(step).observe(time.perf_counter() - began)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Time one table's way to the hub."""
        with self._publish.time():
            yield

    def page(self, look: Callable[[], None]) -> bytes:
        """The text that Prometheus scrapes; `look` sets the gauges first."""
        look()
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, registry=self.registry, buckets=SECONDS)
