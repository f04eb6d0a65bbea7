"""Self-hosted models in the hub's metrics; `pool` is `namespace/name`, as Budgets' accounts are."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from pointsman_operator.hub.engines.models import Models
from pointsman_operator.hub.engines.pools import Pools

PICO_PER_DOLLAR = 10**12
STATES = ("ready", "starting", "asleep")


class ModelGauges:
    """Written anew for each scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["pool", "model"]
        self._endpoints = Gauge(
            "pointsman_model_endpoints",
            "Endpoints of a self-hosted model by state: ready, starting, asleep.",
            [*labels, "state"],
            registry=registry,
        )
        self._saturation = Gauge(
            "pointsman_model_saturation_ratio",
            "How full a self-hosted model's emptiest endpoint is; 1 and more: all are full.",
            labels,
            registry=registry,
        )
        self._cost = Gauge(
            "pointsman_model_hour_cost_usd",
            "What the accelerators of a self-hosted model's endpoints cost an hour, in US dollars.",
            labels,
            registry=registry,
        )

    def show(self, models: Models, pools: Pools) -> None:
        """As of now."""
        for gauge in (self._endpoints, self._saturation, self._cost):
            gauge.clear()
        counts: dict[tuple[str, str], int] = {}
        for (pool, model), watch in models:
            name = ("/".join(pool), model)
            there = watch.endpoints.values()
            counts[name] = len(there)
            ready = sum(it.usable for it in there)
            asleep = sum(it.ready and it.asleep for it in there)
            for state, count in zip(
                STATES, (ready, len(there) - ready - asleep, asleep), strict=True
            ):
                self._endpoints.labels(*name, state).set(count)
            share = watch.least_share()
            if share is not None:
                self._saturation.labels(*name).set(share)
        for stored in pools:
            for own in stored.content.models:
                name = ("/".join(stored.name), own.name)
                # A fixed address counts as one endpoint; one that nobody's table names as none.
                count = counts.get(name, 1 if own.find is None else 0)
                if own.hour_cost is not None:
                    self._cost.labels(*name).set(own.hour_cost * count / PICO_PER_DOLLAR)
