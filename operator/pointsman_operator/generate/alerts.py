"""The alerting rules, from one table. Called by `__main__`; checked by promtool in a test."""

from __future__ import annotations

import json
from dataclasses import dataclass

NEAR_LIMIT = 0.9
BAD_SHARE = 0.05
DAYS_LEFT = 7
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Alert:
    """One rule: its name, the query that is true, for how long, how bad, and what it tells."""

    name: str
    query: str
    lasting: str
    severity: str
    says: str


_FAILED = 'pointsman_requests_total{outcome=~"failed|cut"}'
ALERTS: tuple[Alert, ...] = (
    Alert(
        "PointsmanCallsFail",
        f"sum by (namespace) (rate({_FAILED}[5m]))"
        f" / sum by (namespace) (rate(pointsman_requests_total[5m])) > {BAD_SHARE}",
        "5m",
        "warning",
        "More than one call in twenty of namespace {{ $labels.namespace }} does not end well.",
    ),
    Alert(
        "PointsmanBudgetNearLimit",
        "1 - max by (account) (pointsman_budget_available_usd)"
        f" / (max by (account) (pointsman_budget_limit_usd) > 0) > {NEAR_LIMIT}",
        "1m",
        "info",
        "Nine tenths of Budget {{ $labels.account }} are spent or promised.",
    ),
    Alert(
        "PointsmanBudgetExhausted",
        "max by (account) (pointsman_budget_settled_usd)"
        " >= (max by (account) (pointsman_budget_limit_usd) > 0)",
        "0m",
        "warning",
        "Budget {{ $labels.account }} is spent; its calls are answered as it says.",
    ),
    Alert(
        "PointsmanLedgerFails",
        "max(pointsman_ledger_store_failing) > 0",
        "1m",
        "critical",
        "The hub cannot write its ledger: disk full, or gone.",
    ),
    Alert(
        "PointsmanLedgerAway",
        "sum by (namespace) (pointsman_ledger_away) > 0",
        "2m",
        "warning",
        "Sidecars of namespace {{ $labels.namespace }} cannot reach the hub.",
    ),
    Alert(
        "PointsmanTargetDown",
        "min by (namespace, model, provider) (pointsman_breaker_open) > 0",
        "5m",
        "warning",
        "All sidecars of {{ $labels.namespace }} keep away from {{ $labels.model }} at"
        " {{ $labels.provider }}.",
    ),
    Alert(
        "PointsmanLimitRefuses",
        "sum by (limit, unit) (rate(pointsman_limit_refusals_total[5m])) > 0",
        "5m",
        "warning",
        "Calls are refused because of a limit ({{ $labels.unit }}) of model {{ $labels.limit }}.",
    ),
    Alert(
        "PointsmanModelSaturated",
        "min by (pool, model) (pointsman_model_saturation_ratio) >= 1",
        "5m",
        "warning",
        "Every endpoint of self-hosted {{ $labels.model }} (pool {{ $labels.pool }}) is full.",
    ),
    Alert(
        "PointsmanTableRefused",
        "sum by (namespace) (increase(pointsman_tables_rejected_total[10m])) > 0",
        "0m",
        "warning",
        "Sidecars of namespace {{ $labels.namespace }} refuse a table: older than the operator?",
    ),
    Alert(
        "PointsmanNoLeader",
        "max(pointsman_controller_is_leader) < 1",
        "2m",
        "critical",
        "No controller leads: edits of resources have no effect.",
    ),
    Alert(
        "PointsmanCertificateEnds",
        "min by (certificate) (pointsman_controller_certificate_expiry_timestamp_seconds)"
        f" - time() < {DAYS_LEFT * SECONDS_A_DAY}",
        "1h",
        "critical",
        "The certificate of {{ $labels.certificate }} is not renewed.",
    ),
)


def alerts_text() -> str:
    """`charts/pointsman/files/rules.json`: the groups of a PrometheusRule, or of a rule file."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.query,
            "for": alert.lasting,
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.says},
        }
        for alert in ALERTS
    ]
    return json.dumps({"groups": [{"name": "pointsman", "rules": rules}]}, indent=1) + "\n"
