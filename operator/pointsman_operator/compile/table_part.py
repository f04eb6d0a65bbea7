"""What every part of a RouteTable is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Picodollars = Annotated[int, Field(ge=0, le=2**63 - 1)]
Share = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Part(BaseModel):
    """A part of the table: integers only, absent instead of null."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        use_attribute_docstrings=True,
    )


class TableHeader(Part):
    """A header in lower case and the values that match; none: presence."""

    name: str
    values: tuple[str, ...]
