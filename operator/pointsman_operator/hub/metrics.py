"""The hub's metrics, all behind `pointsman_`; money in dollars, because dashboards divide badly."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pointsman_operator.hub.engines.figures import ModelGauges
from pointsman_operator.hub.quota.shown import LimitGauges
from pointsman_operator.ledger.ledger import Balance

PICO_PER_DOLLAR = 10**12
TERMS = ("limit", "settled", "unconfirmed", "leased", "available", "overrun")


class HubMetrics:
    """One registry a hub, so that several live side by side in a test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.syncs = Counter(
            "pointsman_ledger_syncs",
            "Ledger syncs by what came of them.",
            ["result"],
            registry=self.registry,
        )
        self.sync_seconds = Histogram(
            "pointsman_ledger_sync_seconds",
            "From a sync's arrival to its durable answer.",
            registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
        )
        self.models = ModelGauges(self.registry)
        self.limits = LimitGauges(self.registry)
        self._streams = self._gauge("pointsman_hub_streams", "Open streams to sidecars.")
        self._failing = self._gauge(
            "pointsman_ledger_store_failing", "1 while the last write to the store failed."
        )
        self._unknown = self._gauge(
            "pointsman_ledger_unknown_leases",
            "Leases reported since the start that this ledger never granted.",
        )
        self._terms = {
            term: Gauge(
                f"pointsman_budget_{term}_usd",
                f"{term.capitalize()} of an account's window, in US dollars.",
                ["account", "window"],
                registry=self.registry,
            )
            for term in TERMS
        }

    def page(
        self, balances: Iterable[Balance], *, streams: int, failing: bool, unknown_leases: int
    ) -> bytes:
        """The text that Prometheus scrapes."""
        self._streams.set(streams)
        self._failing.set(failing)
        self._unknown.set(unknown_leases)
        for gauge in self._terms.values():
            gauge.clear()
        for balance in balances:
            for term, gauge in self._terms.items():
                dollars = getattr(balance.pot, term) / PICO_PER_DOLLAR
                gauge.labels(balance.account, balance.window).set(dollars)
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)
