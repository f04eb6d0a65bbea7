"""The Grafana dashboard, from one table of panels. Called by `__main__`.

Queries name only metrics that sidecars (`core/src/stats.rs`) and hub (`hub/metrics.py`) export; a
test evaluates each by a real Prometheus.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 8, 8
COLUMNS = 24
OF_MODEL = 'namespace=~"$namespace", model=~"$model", provider=~"$provider"'
OF_POD = 'namespace=~"$namespace"'
OF_ACCOUNT = 'account=~"($namespace)/.*"'
OF_POOL = 'pool=~"($namespace)/.*"'
EVERY = "$__rate_interval"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = ("namespace", "model", "provider")


@dataclass(frozen=True)
class Panel:
    """One graph: title, Grafana's unit, what it shows, and its queries by their legend."""

    title: str
    unit: str
    says: str
    queries: dict[str, str]
    kind: str = "timeseries"


def _rate(metric: str, by: str, more: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{OF_MODEL}{more}}}[{EVERY}]))"


def _quantiles(metric: str) -> dict[str, str]:
    buckets = f"sum by (le) (rate({metric}_bucket{{{OF_MODEL}}}[{EVERY}]))"
    return {
        f"p{round(share * 100)}": f"histogram_quantile({share}, {buckets})"
        for share in (0.5, 0.95, 0.99)
    }


PANELS: tuple[Panel, ...] = (
    Panel(
        "Requests by model",
        "reqps",
        "Finished calls.",
        {"{{model}}": _rate("pointsman_requests_total", "model")},
    ),
    Panel(
        "Requests by outcome",
        "reqps",
        "How calls ended.",
        {"{{outcome}}": _rate("pointsman_requests_total", "outcome")},
    ),
    Panel(
        "Requests by namespace",
        "reqps",
        "Who calls.",
        {"{{namespace}}": _rate("pointsman_requests_total", "namespace")},
    ),
    Panel(
        "Cost per hour by model",
        "currencyUSD",
        "Booked cost, at the present rate.",
        {"{{model}}": "3600 * " + _rate("pointsman_cost_usd_total", "model")},
    ),
    Panel(
        "Cost per hour by provider",
        "currencyUSD",
        "Booked cost, at the present rate.",
        {"{{provider}}": "3600 * " + _rate("pointsman_cost_usd_total", "provider")},
    ),
    Panel(
        "Cost per hour by namespace",
        "currencyUSD",
        "Booked cost, at the present rate.",
        {"{{namespace}}": "3600 * " + _rate("pointsman_cost_usd_total", "namespace")},
    ),
    Panel(
        "Saving per hour by namespace",
        "currencyUSD",
        "What the same tokens would have cost at each route's candidate of the highest quality, "
        "less what was booked. Another model might have answered at another length.",
        {
            "{{namespace}}": f"3600 * ({_rate('pointsman_baseline_cost_usd_total', 'namespace')} - "
            f"{_rate('pointsman_cost_usd_total', 'namespace')})"
        },
    ),
    Panel(
        "Saving",
        "percentunit",
        "Share of that cost which choosing saves.",
        {
            "saved": f"1 - sum(rate(pointsman_cost_usd_total{{{OF_MODEL}}}[{EVERY}])) / "
            f"sum(rate(pointsman_baseline_cost_usd_total{{{OF_MODEL}}}[{EVERY}]))"
        },
    ),
    Panel(
        "Call duration",
        "s",
        "From a call's head to its last byte.",
        _quantiles("pointsman_request_duration_seconds"),
    ),
    Panel(
        "Time to first content",
        "s",
        "From a call's head to the first content of the answer.",
        _quantiles("pointsman_first_token_seconds"),
    ),
    Panel(
        "Tokens",
        "short",
        "Tokens a second, in and out.",
        {"{{direction}}": _rate("pointsman_tokens_total", "direction")},
    ),
    Panel(
        "Failed attempts by class",
        "reqps",
        "What providers did wrong; a retry or fallback may have saved the call.",
        {"{{provider}} {{class}}": _rate("pointsman_attempts_total", "provider, class")},
    ),
    Panel(
        "Fallbacks and retries that helped",
        "reqps",
        "Failed attempts that no caller saw: another attempt answered.",
        {
            "{{namespace}}": "clamp_min("
            + _rate("pointsman_attempts_total", "namespace")
            + " - ("
            + _rate("pointsman_requests_total", "namespace", ', outcome=~"failed|cut"')
            + " or 0 * "
            + _rate("pointsman_attempts_total", "namespace")
            + "), 0)"
        },
    ),
    Panel(
        "Calls that the router refused",
        "reqps",
        "By reason: no policy, budget, limits, filters.",
        {"{{reason}}": f"sum by (reason) (rate(pointsman_refusals_total{{{OF_POD}}}[{EVERY}]))"},
    ),
    Panel(
        "Targets taken out",
        "short",
        "1 while a sidecar's breaker keeps calls from a target.",
        {
            "{{model}} {{provider}}": "sum by (model, provider) "
            f"(pointsman_breaker_open{{{OF_MODEL}}})"
        },
    ),
    Panel(
        "Self-hosted endpoints by load",
        "short",
        "As a sidecar sees them: idle to full by the hub's word, resting where calls failed.",
        {
            "{{model}} {{level}}": "avg by (model, level) "
            f"(sum by (namespace, pod, model, level) (pointsman_endpoints{{{OF_MODEL}}}))"
        },
    ),
    Panel(
        "Overflow from self-hosted models",
        "reqps",
        "Calls that passed a model over because its endpoints are full, start, sleep or are gone.",
        {"{{model}} {{reason}}": _rate("pointsman_overflow_total", "model, reason")},
    ),
    Panel(
        "Budgets: spent",
        "currencyUSD",
        "Settled in the window that is open.",
        {"{{account}}": f"max by (account) (pointsman_budget_settled_usd{{{OF_ACCOUNT}}})"},
    ),
    Panel(
        "Budgets: share used",
        "percentunit",
        "Settled, unconfirmed and leased, of the limit.",
        {
            "{{account}}": f"1 - max by (account) (pointsman_budget_available_usd{{{OF_ACCOUNT}}})"
            f" / max by (account) (pointsman_budget_limit_usd{{{OF_ACCOUNT}}})"
        },
    ),
    Panel(
        "Calls in flight",
        "short",
        "In all sidecars.",
        {"{{namespace}}": f"sum by (namespace) (pointsman_in_flight{{{OF_POD}}})"},
    ),
    Panel(
        "Sidecars without ledger",
        "short",
        "Their ledger does not answer; Budgets say what happens then.",
        {"{{namespace}}": f"sum by (namespace) (pointsman_ledger_away{{{OF_POD}}})"},
    ),
    Panel(
        "Self-hosted models: saturation",
        "percentunit",
        "How full the emptiest endpoint is; from 100 % on all are full and calls overflow.",
        {
            "{{pool}} {{model}}": "max by (pool, model) "
            f"(pointsman_model_saturation_ratio{{{OF_POOL}}})"
        },
    ),
    Panel(
        "Self-hosted models: endpoints",
        "short",
        "By state: those that take calls, start, sleep.",
        {
            "{{pool}} {{model}} {{state}}": "max by (pool, model, state) "
            f"(pointsman_model_endpoints{{{OF_POOL}}})"
        },
    ),
    Panel(
        "Self-hosted models: cost per hour",
        "currencyUSD",
        "Of the accelerators behind all endpoints, whether or not calls are charged for them.",
        {
            "{{pool}} {{model}}": "max by (pool, model) "
            f"(pointsman_model_hour_cost_usd{{{OF_POOL}}})"
        },
    ),
    Panel(
        "Hub: streams and syncs",
        "short",
        "Sidecars connected, and ledger syncs a second.",
        {
            "streams": "sum(pointsman_hub_streams)",
            "syncs {{result}}": f"sum by (result) (rate(pointsman_ledger_syncs_total[{EVERY}]))",
        },
    ),
)


def dashboard_text() -> str:
    """`charts/pointsman/files/dashboard.json`."""
    return json.dumps(dashboard(), indent=1) + "\n"


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource"}
    return {
        "title": "Pointsman",
        "uid": "pointsman",
        "tags": ["llm", "pointsman"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{**source, "query": "prometheus"}, *(_variable(name) for name in VARIABLES)]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _variable(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values(pointsman_requests_total, {name})", "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number * WIDTH, COLUMNS)
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": {"x": column, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
            }
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
    }
