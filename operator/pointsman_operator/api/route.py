"""A route: which models are candidates and how one of them is chosen, tried and given up on."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pointsman_operator.api import bounds
from pointsman_operator.api.durations import Duration, between, milliseconds
from pointsman_operator.api.meta import ModelRef, Percent, Struct
from pointsman_operator.api.rules import Distinct, Rule

Strategy = Literal["Quality", "Failover", "Weighted", "Cheapest"]


class Candidate(Struct):
    """A model that the route may choose."""

    model: ModelRef
    """`POOL/MODEL`."""
    weight: Annotated[int, Field(ge=0, le=bounds.WEIGHT)] | None = None
    """Share of requests, for Weighted; default 1; 0 takes none."""
    priority: Annotated[int, Field(ge=0, le=bounds.WEIGHT)] | None = None
    """Lower is tried first, for Failover; default 0, equal ones in list order."""


class QualityTarget(Struct):
    """How good answers must be."""

    target: Annotated[int, Field(ge=1, le=bounds.PERCENT)] | None = None
    """For Quality: expected mean quality, in percent of the best candidate's."""
    relative_to: Literal["Best"] = "Best"
    """What target is a share of: the candidate that is best on average."""
    floor: Percent = 0
    """Candidates whose own mean quality is below this percentage are left out."""


class Retries(Struct):
    """How often a failed call is tried again."""

    max_attempts: Annotated[int, Field(ge=1, le=bounds.ATTEMPTS)] = 3
    """Over all candidates, the first included."""
    budget_percent: Percent = 20
    """Retries as a share of requests; above it failures go to the caller at once."""
    min_per_second: Annotated[int, Field(ge=0, le=bounds.RETRIES_PER_SECOND)] = 3
    """Retries that are allowed however few requests there are. All routes to a model share what
    they may try again there."""


class Timeouts(Struct):
    """How long a call may keep the caller waiting."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="duration(self.firstToken) <= duration(self.total)",
            message="firstToken must not be above total",
            holds=lambda t: milliseconds(t.first_token) <= milliseconds(t.total),
        ),
    )

    first_token: Annotated[Duration, between("10ms", "1h")] = "30s"  # noqa: S105 - a duration
    """To the first content of a stream, or to the first byte of a plain answer."""
    stream_idle: Annotated[Duration, between("10ms", "1h")] = "30s"
    """Between two pieces of a stream."""
    total: Annotated[Duration, between("10ms", "24h")] = "10m"
    """The whole request, all attempts."""


class Overflow(Struct):
    """When the next candidate is asked although this one might answer later."""

    on_saturated: bool = True
    """Every endpoint of a self-hosted model is full. `false`: its callers wait there."""
    on_cold_start: bool = True
    """A self-hosted model sleeps, or its pods are starting. `false`: its callers wait for it."""
    on_error: bool = True
    """A call failed and may be tried again. `false`: only the same model is tried again."""


class HoldBack(Struct):
    """How much of a stream waits, so that what breaks in it is tried again unseen."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.tokens) || has(self.ms)",
            message="at least one of tokens and ms",
            holds=lambda h: h.tokens is not None or h.ms is not None,
        ),
    )

    tokens: Annotated[int, Field(ge=1, le=bounds.HELD_TOKENS)] | None = None
    """Until about so many tokens have come, by the length that the model's tokens usually have; or
    64 KiB, or the answer's end."""
    ms: Annotated[int, Field(ge=1, le=bounds.HELD_MS)] | None = None
    """Until so many milliseconds have passed since the first content. With both, whichever is
    first."""


class Route(Struct):
    """Candidates and how to choose among them."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.strategy == 'Weighted' || self.candidates.all(c, !has(c.weight))",
            message="weight acts with strategy Weighted only",
            holds=lambda r: r.strategy == "Weighted" or all(c.weight is None for c in r.candidates),
        ),
        Rule(
            cel="self.strategy != 'Weighted' || self.candidates.exists("
            "c, !has(c.weight) || c.weight > 0)",
            message="Weighted needs a candidate with a weight above 0",
            holds=lambda r: r.strategy != "Weighted" or any(c.weight != 0 for c in r.candidates),
        ),
        Rule(
            cel="self.strategy == 'Failover' || self.candidates.all(c, !has(c.priority))",
            message="priority acts with strategy Failover only",
            holds=lambda r: (
                r.strategy == "Failover" or all(c.priority is None for c in r.candidates)
            ),
        ),
        Rule(
            cel="(self.strategy == 'Quality') == (has(self.quality) && has(self.quality.target))",
            message="quality.target belongs to strategy Quality, which needs it",
            holds=lambda r: (
                (r.strategy == "Quality")
                == (r.quality is not None and r.quality.target is not None)
            ),
        ),
        Rule(
            cel="!has(self.quality) || self.strategy in ['Quality', 'Cheapest']",
            message="quality acts with strategies Quality and Cheapest only",
            holds=lambda r: r.quality is None or r.strategy in {"Quality", "Cheapest"},
        ),
    )

    strategy: Strategy
    """`Quality`: good enough at the least cost; `Failover`: by priority; `Weighted`: at random by
    weight; `Cheapest`: the least expected cost at or above the floor."""
    candidates: Annotated[
        tuple[Candidate, ...],
        Field(min_length=1, max_length=bounds.CANDIDATES_PER_ROUTE),
        Distinct("model"),
    ]
    """What may be chosen."""
    quality: QualityTarget | None = None
    """For Quality and Cheapest."""
    retries: Retries = Retries()
    """Attempts."""
    timeouts: Timeouts = Timeouts()
    """Limits on waiting."""
    hold_back: HoldBack | None = None
    """How much of a stream is held back: a provider that breaks off meanwhile costs the caller
    nothing but time. Default: nothing beyond the first content."""
    overflow: Overflow = Overflow()
    """When another candidate takes over."""
    priority: Literal["Low", "Normal", "High"] = "Normal"
    """Whose calls a router that is short of room refuses first (503 with Retry-After). `Low`: as
    soon as half of its room is taken; `High`: last, and a tenth of the room is kept for them."""
    untranslatable: Literal["Drop", "Refuse"] = "Drop"
    """What a request asks for and the chosen model's format has no word for, such as `seed` or
    `logit_bias` at Anthropic. `Drop`: left out, and named in the answer's header
    `x-pointsman-dropped`; `Refuse`: such a candidate is passed over, and where none is left the
    call is refused with the member's name."""
