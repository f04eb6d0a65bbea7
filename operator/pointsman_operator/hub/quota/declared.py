"""Limits of models that a route table names, by `namespace/pool/model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pointsman_operator.hub.quota.messages import Unit
from pointsman_operator.ledger.messages import Name

Declared = Mapping[str, Mapping[Unit, int]]
Total = Annotated[int, Field(ge=1, le=2**53)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Limits(_Part):
    account: Name
    requests: Annotated[Total | None, Field(alias="requestsPerMinute")] = None
    tokens: Annotated[Total | None, Field(alias="tokensPerMinute")] = None
    in_flight: Annotated[Total | None, Field(alias="maxInFlight")] = None


class _Model(_Part):
    limits: _Limits | None = None


class _Table(_Part):
    models: tuple[_Model, ...] = ()


def read_limits(table: Mapping[str, Any]) -> dict[str, dict[Unit, int]]:
    """The limits that a table names; raises pydantic's `ValidationError`."""
    found: dict[str, dict[Unit, int]] = {}
    for model in _Table.model_validate(table).models:
        if model.limits is None:
            continue
        each = {
            Unit.REQUESTS: model.limits.requests,
            Unit.TOKENS: model.limits.tokens,
            Unit.IN_FLIGHT: model.limits.in_flight,
        }
        found[model.limits.account] = {
            unit: total for unit, total in each.items() if total is not None
        }
    return found
