"""Budgets as a RouteTable holds them (docs/contracts.md 1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointsman_operator.compile.table_part import Count, Part, Picodollars, Share, TableHeader


class TableSubject(Part):
    """Which requests a Budget counts: all members match, an empty one does."""

    namespaces: tuple[str, ...]
    workloads: tuple[str, ...]
    header: TableHeader | None = None
    models: tuple[str, ...]


class TableWindow(Part):
    """A calendar window."""

    calendar: Literal["Hour", "Day", "Week", "Month", "Quarter", "Year"]
    time_zone: str


class TableLimit(Part):
    """One account: `namespace/name/limit`."""

    name: str
    amount: Picodollars
    window: TableWindow


class TableThreshold(Part):
    """Ascending by percent."""

    percent: Share
    action: Literal["Notify", "Downgrade", "Block"]
    max_tier: Annotated[int, Field(ge=0, le=9)] | None = None


class TableEnforcement(Part):
    """How strictly a Budget is kept."""

    mode: Literal["Enforce", "Audit"]
    on_ledger_unavailable: Literal["SpendLease", "Allow", "Deny"]
    outage_horizon_seconds: Count
    default_max_tokens: Count


class TableBudget(Part):
    """A Budget that binds the policy's workloads."""

    namespace: str
    name: str
    subject: TableSubject
    limits: tuple[TableLimit, ...]
    thresholds: tuple[TableThreshold, ...]
    enforcement: TableEnforcement
