"""Limits of models as people are shown them, and as Prometheus scrapes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pointsman_operator.hub import limits
from pointsman_operator.hub.fleet import Sidecar
from pointsman_operator.hub.quota.desk import Desk
from pointsman_operator.hub.quota.messages import Unit
from pointsman_operator.hub.quota.pot import Figures, Pot
from pointsman_operator.hub.quota.strain import Strains

LABELS = ("limit", "unit")
PARTS = ("total", "held", "used", "resting", "wanted")
UNITS = {Unit.REQUESTS: "requests", Unit.TOKENS: "tokens", Unit.IN_FLIGHT: "in_flight"}
"""As the sidecars' own metrics call them."""


def limit_rows(desk: Desk, strains: Strains, namespace: str) -> list[dict[str, Any]]:
    """Each limit and where its units are; of one namespace's pools, or of all."""
    now_ms = desk.now_ms
    return [
        {"limit": limit, "unit": unit.value, **asdict(pot.figures(now_ms))}
        | strains.of(limit, unit)
        for limit, unit, pot in _of_namespace(desk, namespace)
    ]


def holders_of(
    desk: Desk, fleet: Iterable[Sidecar], namespace: str
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Who holds most of each limit, and who waits: by the limit and its unit."""
    pods = {it.sidecar: it.facts.pod for it in fleet}
    now_ms = desk.now_ms
    return {
        (limit, unit.value): [
            {
                "sidecar": holder[0],
                "pod": pods.get(holder[0], ""),
                "held": holding.held,
                "used": holding.used_at(now_ms),
                "wanted": holding.want,
                "waiting": holding.waiting,
                "lacks": holding.lacking_since_ms is not None,
            }
            for holder, holding in pot.largest(limits.HOLDERS_SHOWN_MAX)
        ]
        for limit, unit, pot in _of_namespace(desk, namespace)
    }


def _of_namespace(desk: Desk, namespace: str) -> Iterator[tuple[str, Unit, Pot]]:
    for limit, unit, pot in desk.standings():
        if not namespace or limit.startswith(namespace + "/"):
            yield limit, unit, pot


class LimitGauges(Collector):
    """As of each scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seen: list[tuple[str, str, Figures]] = []
        self._left_out = 0
        registry.register(self)

    def show(self, desk: Desk) -> None:
        """As of now; of too many limits the first by name."""
        now_ms, standings = desk.now_ms, desk.standings()
        first = islice(standings, limits.LIMITS_MEASURED_MAX)
        self._seen = [(limit, UNITS[unit], pot.figures(now_ms)) for limit, unit, pot in first]
        self._left_out = sum(1 for _ in standings)

    def collect(self) -> Iterator[Metric]:
        """What is scraped."""
        units = GaugeMetricFamily(
            "pointsman_limit_units",
            "Units of a model's limit: in total, held by routers, of these used within the last "
            "minute, resting after a lost router, wanted.",
            labels=[*LABELS, "part"],
        )
        holders = GaugeMetricFamily(
            "pointsman_limit_routers",
            "Routers that hold or want some of a limit, and of these that can serve no call.",
            labels=[*LABELS, "state"],
        )
        waiting = GaugeMetricFamily(
            "pointsman_limit_calls_waiting", "Calls that wait for a limit now.", labels=LABELS
        )
        waits = CounterMetricFamily(
            "pointsman_limit_waits", "Calls that had to wait for a limit.", labels=LABELS
        )
        refusals = CounterMetricFamily(
            "pointsman_limit_refusals", "Calls refused because of a limit.", labels=LABELS
        )
        for limit, unit, figures in self._seen:
            name = (limit, unit)
            for part in PARTS:
                units.add_metric((*name, part), getattr(figures, part))
            holders.add_metric((*name, "holding"), figures.holders)
            holders.add_metric((*name, "lacking"), figures.lacking)
            waiting.add_metric(name, figures.waiting)
            waits.add_metric(name, figures.waited)
            refusals.add_metric(name, figures.refused)
        left_out = GaugeMetricFamily(
            "pointsman_limits_left_out", "Limits beyond those that these metrics name."
        )
        left_out.add_metric((), self._left_out)
        yield from (units, holders, waiting, waits, refusals, left_out)
