"""Accounts: each limit of each Budget that a route table names, under `namespace/name/limit`.

The hub reads them from every stored table; a Budget that appears in two tables is one account, and
the table that was put last decides its limit. Counters do not live here, so they survive a
Budget's deletion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.windows import Calendar, WindowSpec, zone


@dataclass(frozen=True, slots=True)
class Threshold:
    """At this share of the limit something happens; `blocks` ends granting."""

    percent: int
    blocks: bool


@dataclass(frozen=True, slots=True)
class Account:
    """One limit of one Budget."""

    name: str
    limit: int
    window: WindowSpec
    thresholds: tuple[Threshold, ...] = ()
    hard_expiry_ms: int = limits.HARD_EXPIRY_MS
    """The outage horizon: how long a lease may be spent without renewal."""

    @property
    def ceiling_percent(self) -> int:
        """The share of the limit above which nothing is granted."""
        return min((t.percent for t in self.thresholds if t.blocks), default=100)


def _known_zone(name: str) -> str:
    zone(name)
    return name


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Window(_Part):
    calendar: Calendar
    time_zone: Annotated[str, Field(alias="timeZone"), AfterValidator(_known_zone)]


class _Limit(_Part):
    name: str
    amount: Annotated[int, Field(ge=0, le=limits.MONEY_MAX, strict=True)]
    window: _Window


class _Threshold(_Part):
    percent: Annotated[int, Field(ge=0, le=100, strict=True)]
    action: Literal["Notify", "Downgrade", "Block"]


class _Enforcement(_Part):
    horizon_s: Annotated[int, Field(alias="outageHorizonSeconds", ge=0, le=86_400, strict=True)]


class _Budget(_Part):
    namespace: str
    name: str
    limits: list[_Limit]
    thresholds: list[_Threshold] = []
    enforcement: _Enforcement


class _Table(_Part):
    budgets: list[_Budget] = []


def read_accounts(table: Mapping[str, Any]) -> list[Account]:
    """The accounts of a parsed route table; raises `pydantic.ValidationError` when malformed."""
    return [
        Account(
            name=f"{budget.namespace}/{budget.name}/{limit.name}",
            limit=limit.amount,
            window=WindowSpec(limit.window.calendar, limit.window.time_zone),
            thresholds=tuple(
                Threshold(t.percent, blocks=t.action == "Block") for t in budget.thresholds
            ),
            hard_expiry_ms=max(limits.HARD_EXPIRY_MIN_MS, budget.enforcement.horizon_s * 1000),
        )
        for budget in _Table.model_validate(table).budgets
        for limit in budget.limits
    ]
