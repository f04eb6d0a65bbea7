"""One API key's entry in the Secret: its hash and what it may do, never the key."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

LABEL = r"^[A-Za-z0-9]([A-Za-z0-9 ._@/+-]{0,62}[A-Za-z0-9])?$"
LIMIT_MOST = 1_000_000
GLOBS_MOST = 64
GLOB_LENGTH = 253

Label = Annotated[str, Field(pattern=LABEL)]
Limit = Annotated[int, Field(ge=1, le=LIMIT_MOST)]
Glob = Annotated[str, Field(pattern=r"^[!-~]+$", max_length=GLOB_LENGTH)]


class EntryError(Exception):
    """No entry of this version; the message names no content."""


class Entry(BaseModel):
    """What a gateway knows of a key; a field that it does not know makes it refuse the key."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True
    )

    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{10}$")]
    hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", repr=False)]
    name: Label
    created: dt.datetime
    expires: dt.datetime | None = None
    models: Annotated[tuple[Glob, ...], Field(max_length=GLOBS_MOST)] | None = None
    team: Label | None = None
    requests_per_minute: Limit | None = None
    max_in_flight: Limit | None = None
    disabled: bool = False

    @classmethod
    def read(cls, data: bytes) -> Self:
        """An entry as it is stored; raises `EntryError`."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            fields = {".".join(map(str, one["loc"])) or "the JSON" for one in error.errors()}
            raise EntryError(f"no entry of an API key: {', '.join(sorted(fields))}") from error

    def written(self) -> bytes:
        """As it is stored."""
        text = self.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)
        return text.encode()

    def state(self, now: dt.datetime) -> str:
        """`active`, `disabled` or `expired`."""
        if self.disabled:
            return "disabled"
        return "expired" if self.expires is not None and self.expires <= now else "active"
