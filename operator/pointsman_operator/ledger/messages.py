"""What a sidecar's engine and the ledger say to each other (docs/contracts.md, section 3).

The hub's route parses a `SyncRequest`, `books` answers with a `SyncAnswer`. Every number is
cumulative and never falls, so a repeated, lost or late message changes nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pointsman_operator.ledger import limits

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps no NUL, and one caller's must not fail the transaction of all."""
Name = Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARACTERS_MAX, pattern=NO_NUL)]
Label = Annotated[str, Field(max_length=limits.NAME_CHARACTERS_MAX, pattern=NO_NUL)]
Money = Annotated[int, Field(ge=0, le=limits.MONEY_MAX, strict=True)]
Count = Annotated[int, Field(ge=0, le=2**53, strict=True)]


class _Message(BaseModel):
    """Unknown members are ignored, so that a newer sidecar may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LeaseReport(_Message):
    """What the holder knows of one lease."""

    id: Name
    account: Name
    window: Name | None = None
    granted: Money = 0
    returned: Money = 0
    spent: Money = 0
    unconfirmed: Money = 0
    free: Money | None = None
    """What may still be reserved; an older engine does not say."""
    closed: bool = False


class Usage(_Message):
    """Counters of one dimension tuple since the boot, for `spend`."""

    model: Label = ""
    provider: Label = ""
    workload: Label = ""
    team: Label = ""
    key: Label = ""
    endpoint: Label = ""
    namespace: Label = ""
    requests: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cost: Money = 0
    unconfirmed: Money = 0


class WantRequest(_Message):
    """Money asked for, all above `have`.

    `need` is waited for, `prefer` spares the next sync, `reserve` would last through an outage.
    """

    account: Name
    window: Name | None = None
    next: bool = False
    have: Money = 0
    need: Money = 0
    prefer: Money = 0
    reserve: Money = 0


class SyncRequest(_Message):
    """One sync of one engine start."""

    sidecar: Name
    boot: Name
    seq: Count
    incarnation: Count = 0
    final: bool = False
    leases: Annotated[list[LeaseReport], Field(max_length=limits.LEASES_PER_SYNC_MAX)] = []
    usage: Annotated[list[Usage], Field(max_length=limits.USAGE_PER_SYNC_MAX)] = []
    wants: Annotated[list[WantRequest], Field(max_length=limits.WANTS_PER_SYNC_MAX)] = []


class WindowAnswer(_Message):
    """A window's name and its ends, RFC 3339 with offset."""

    key: str
    start: str
    end: str


class LeaseAnswer(_Message):
    """An open lease; `granted` is cumulative over its life."""

    id: str
    account: str
    window: WindowAnswer
    granted: int
    hard_expiry_ms: int
    renew_every_ms: int
    recall: bool


class Denial(StrEnum):
    """Why a need was not met."""

    EXHAUSTED = "exhausted"
    BLOCKED = "blocked"
    UNKNOWN_ACCOUNT = "unknown_account"
    NOT_YET = "not_yet"
    RESTORED = "restored"
    """The ledger was restored, and waits for every holder's report before it grants anew."""


class Denied(_Message):
    """A want whose need was not met; an unknown account has no `resets_at`."""

    account: str
    window: str
    code: Denial
    resets_at: str | None = None
    limit: int = 0
    used: int = 0
    again_ms: int | None = None
    """Until when asking again is in vain; nothing where callers may ask at once."""
    wait_ms: int | None = None
    """Others are called to give back what they do not use: callers wait, and it asks after this."""


class AccountState(_Message):
    """How much of a limit counts as spent now, and the highest percent crossed (0: none)."""

    account: str
    window: str
    limit: int
    used: int
    resets_at: str
    threshold: int
    again_ms: int | None = None
    """The same, where a threshold blocks."""


class SyncAnswer(_Message):
    """The ledger's answer; `now_ms` is its own clock."""

    incarnation: int
    seq: int
    now_ms: int
    leases: list[LeaseAnswer]
    denied: list[Denied]
    states: list[AccountState]
