"""The injector's metrics, all behind `pointsman_injector_`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class InjectorMetrics:
    """One registry an app, so that several live side by side in a test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reviews = Counter(
            "pointsman_injector_reviews",
            "Admission reviews by webhook and what came of them.",
            ["webhook", "outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "pointsman_injector_review_seconds",
            "From a review's last byte to its answer.",
            ["webhook"],
            registry=self.registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0),
        )
        self._age = Gauge(
            "pointsman_injector_facts_age_seconds",
            "Since the API server last said anything about quotas, limit ranges or the bundle.",
            registry=self.registry,
        )

    def page(self, age_s: float) -> bytes:
        """The text that Prometheus scrapes."""
        self._age.set(age_s)
        return generate_latest(self.registry)
