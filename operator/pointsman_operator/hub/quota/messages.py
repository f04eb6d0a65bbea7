"""What a sidecar's engine and the hub say to each other of shares (docs/contracts.md, section 3).

Numbers of a share are cumulative within its term and never fall, so a repeated, lost or late
message hands nothing out twice.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pointsman_operator.hub import limits
from pointsman_operator.ledger.messages import Name

Units = Annotated[int, Field(ge=0, le=2**53, strict=True)]


class Unit(StrEnum):
    """The kinds of limits."""

    REQUESTS = "requests"
    """Calls a minute."""
    TOKENS = "tokens"
    """Tokens a minute."""
    IN_FLIGHT = "inFlight"
    """Calls at once."""


class _Message(BaseModel):
    """Unknown members are ignored, so that a newer sidecar may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class HoldReport(_Message):
    """One share as its holder knows it."""

    limit: Name
    """`namespace/pool/model`."""
    unit: Unit
    term: Units
    """Rises when a share lapses at its holder: its units are the hub's again."""
    granted: Units
    returned: Units
    want: Units
    """What would serve all that is asked for."""
    need: Units
    """The least with which any of it can be served; 0: nothing is asked for."""
    used: Units = 0
    """What of it rests or is in use; of an older sidecar nothing is known."""
    waiting: Units = 0
    """Calls that it stands against now."""
    waited: Units = 0
    """Calls that it ever stood against, since the holder's start."""
    refused: Units = 0
    """Those that were refused for it, since then."""

    @model_validator(mode="after")
    def _holds_what_it_got(self) -> Self:
        if self.returned > self.granted:
            raise ValueError("returned is above granted")
        return self


class LimitsRequest(_Message):
    """All that one engine start has to say."""

    sidecar: Name
    boot: Name
    seq: Units = 0
    final: bool = False
    """This start is over: what it holds is the hub's again."""
    holds: Annotated[list[HoldReport], Field(max_length=limits.HOLDS_PER_REPORT_MAX)] = []


class HoldGrant(_Message):
    """One share as the hub knows it."""

    limit: str
    unit: Unit
    term: int
    granted: int
    keep: int
    """What is free above this is wanted back."""
    meant: int
    """What the holder is meant to have now."""


class LimitsAnswer(_Message):
    """The shares that were named, but for limits that no table declares."""

    seq: int
    horizon_ms: int
    """How long they may be spent from when the request was sent."""
    again_ms: int
    """When to ask again while callers wait."""
    holds: list[HoldGrant]
