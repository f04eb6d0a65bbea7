"""Budget: what may be spent, by whom, in which window, and what happens on the way there."""

from __future__ import annotations

import zoneinfo
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from pointsman_operator.api import bounds
from pointsman_operator.api.durations import Duration, between
from pointsman_operator.api.meta import (
    BY_NAME,
    SET,
    Glob,
    HeaderMatch,
    Name,
    Resource,
    Status,
    Struct,
)
from pointsman_operator.api.money import LimitUsd
from pointsman_operator.api.rules import Rule, only_with

Calendar = Literal["Hour", "Day", "Week", "Month", "Quarter", "Year"]


KeyName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9 ._@/+-]{0,62}[A-Za-z0-9])?$",
        max_length=bounds.KEY_NAME_LENGTH,
    ),
]
"""An API key's name, as `pointsman keys create` takes it."""


class KeyMatch(Struct):
    """API keys by name."""

    names: Annotated[tuple[KeyName, ...], Field(max_length=bounds.NAMES_PER_LIST), SET] = ()
    """Names as `pointsman keys list` shows them; none: every call with a key."""


class Subject(Struct):
    """Which requests count; all members must match, an absent one matches everything."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.header) || !has(self.key)",
            message="at most one of header and key",
            holds=lambda s: s.header is None or s.key is None,
        ),
    )

    namespaces: Annotated[tuple[Name, ...], Field(max_length=bounds.NAMES_PER_LIST), SET] = ()
    """Callers' namespaces; default: the Budget's own. Others only in a platform namespace."""
    workloads: Annotated[tuple[Name, ...], Field(max_length=bounds.NAMES_PER_LIST), SET] = ()
    """Callers' workloads by name."""
    header: HeaderMatch | None = None
    """Attribution by a request header. A caller may send any value: this is book-keeping, not
    security."""
    key: KeyMatch | None = None
    """API keys of the namespace's gateways, proven. In sidecars, whose pod is trusted, it is what
    the header `x-pointsman-key` says."""
    models: Annotated[tuple[Glob, ...], Field(max_length=bounds.NAMES_PER_LIST), SET] = ()
    """Models as `pool/model`; `*` stands for any characters."""


def _known_zone(zone: str) -> str:
    if zone not in zoneinfo.available_timezones():
        message = f"{zone!r} is no IANA time zone, such as Europe/Berlin or UTC"
        raise ValueError(message)
    return zone


class Window(Struct):
    """A calendar window: it begins and ends at local midnights, weeks on Monday."""

    calendar: Calendar
    """The window's length."""
    time_zone: Annotated[
        str,
        Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=bounds.NAME_LENGTH),
        AfterValidator(_known_zone),
    ] = "UTC"
    """IANA name of the zone whose midnight counts."""


class Limit(Struct):
    """So much money in a window."""

    name: Name
    """The account's name within the Budget."""
    amount: LimitUsd
    """Dollars, as a decimal string; at most 9,000,000."""
    window: Window
    """When it starts anew."""


class Threshold(Struct):
    """What happens once a share of any limit is used."""

    RULES: ClassVar[tuple[Rule, ...]] = (only_with("Downgrade", "maxTier"),)

    percent: Annotated[int, Field(ge=1, le=bounds.PERCENT)]
    """Used share of the limit that is nearest its end."""
    action: Literal["Notify", "Downgrade", "Block"]
    """`Notify`: an event; `Downgrade`: only models up to maxTier; `Block`: calls are refused."""
    max_tier: Annotated[int, Field(ge=0, le=bounds.TIER)] | None = None
    """Highest tier that stays usable under Downgrade."""


class Enforcement(Struct):
    """How strictly the limits are kept."""

    mode: Literal["Enforce", "Audit"] = "Enforce"
    """`Enforce`: what does not fit is refused; `Audit`: only counted."""
    on_ledger_unavailable: Literal["SpendLease", "Allow", "Deny"] = "SpendLease"
    """With the ledger away: spend what is leased and then refuse, go on and count, or refuse at
    once."""
    outage_horizon: Annotated[Duration, between("1m", "24h")] = "15m"
    """How long leased money outlives the ledger."""
    default_max_tokens: Annotated[int, Field(ge=1, le=bounds.TOKENS)] = 4096
    """Cap on the answer of calls that name none."""


class BudgetSpec(Struct):
    """What may be spent."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.thresholds) || self.thresholds.all(t, self.thresholds.exists_one("
            "o, o.percent == t.percent))",
            message="percentages of thresholds must differ",
            holds=lambda s: len({t.percent for t in s.thresholds}) == len(s.thresholds),
        ),
        Rule(
            cel="!has(self.thresholds) || self.thresholds.all(t, t.action != 'Downgrade' || "
            "self.thresholds.all(o, o.action != 'Downgrade' || o.percent <= t.percent || "
            "o.maxTier <= t.maxTier))",
            message="a later Downgrade must not raise maxTier",
            holds=lambda s: _tiers_fall(s.thresholds),
        ),
    )

    subject: Subject = Subject()
    """Which requests count."""
    limits: Annotated[
        tuple[Limit, ...], Field(min_length=1, max_length=bounds.LIMITS_PER_BUDGET), BY_NAME
    ]
    """All must hold."""
    thresholds: Annotated[
        tuple[Threshold, ...], Field(max_length=bounds.THRESHOLDS_PER_BUDGET)
    ] = ()
    """Steps on the way to a limit; in any order."""
    enforcement: Enforcement = Enforcement()
    """How strictly."""


def _tiers_fall(thresholds: tuple[Threshold, ...]) -> bool:
    steps = sorted((t.percent, t.max_tier) for t in thresholds if t.max_tier is not None)
    return all(later[1] <= earlier[1] for earlier, later in pairwise(steps))


class LimitStatus(Struct):
    """One account now."""

    name: Name
    """The limit."""
    spent: Annotated[str, Field(max_length=bounds.AMOUNT_LENGTH)]
    """Dollars used in this window, unconfirmed ones included."""
    remaining: Annotated[str, Field(max_length=bounds.AMOUNT_LENGTH)]
    """Dollars left."""
    percent: Annotated[int, Field(ge=0)]
    """Used share."""
    leased: Annotated[str, Field(max_length=bounds.AMOUNT_LENGTH)] = "0"
    """Dollars that sidecars hold for calls to come; part of what remains."""
    max_overspend: Annotated[str, Field(max_length=bounds.AMOUNT_LENGTH)] = "0"
    """Dollars by which this window has gone over its limit: what streams had under way at its end.
    Answers that are not streamed cannot add to it."""
    resets_at: Annotated[str, Field(max_length=bounds.TIME_LENGTH)]
    """When the window ends, RFC 3339."""


class BudgetStatus(Status):
    """How much is left."""

    limits: Annotated[
        tuple[LimitStatus, ...], Field(max_length=bounds.LIMITS_PER_BUDGET), BY_NAME
    ] = ()
    """The accounts."""
    worst: LimitStatus | None = None
    """The account that is nearest its end."""
    action: Literal["None", "Notify", "Downgrade", "Block"] = "None"
    """What the thresholds do now."""


class Budget(Resource):
    """A limit on what requests may cost."""

    KIND: ClassVar[str] = "Budget"

    kind: Literal["Budget"]
    spec: BudgetSpec
    status: dict[str, Any] = Field(default={})
