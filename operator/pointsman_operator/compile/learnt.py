"""What learning shipped, as compiling uses it.

A quality head, mean quality and expected answer length by upstream model id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pointsman_operator.learn import shipped
from pointsman_operator.learn.columns import ALIASES


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class LearntHead(_Part):
    """A logistic head in micro units."""

    digest: str
    bias: int
    weights: tuple[int, ...]


class LearntQuality(_Part):
    """Mean quality in percent."""

    prior: int = Field(ge=0, le=100)
    by_task: dict[str, int] = Field(default={}, alias="byTask")


class LearntLength(_Part):
    """Expected output tokens a call."""

    default: int = Field(ge=0)
    by_task: dict[str, int] = Field(default={}, alias="byTask")


class LearntModel(_Part):
    """All that was learnt about one model."""

    head: LearntHead | None = None
    quality: LearntQuality | None = None
    output_tokens: LearntLength | None = Field(default=None, alias="outputTokens")


Learnt = Mapping[str, LearntModel]
"""By upstream model id; a known other name of a model counts as the model."""


@cache
def bundled_learnt() -> Learnt:
    """What this version ships."""
    return _learnt(shipped.models())


def read_learnt(data: bytes) -> Learnt:
    """The learnt models of a file in the form of `learn/artefacts/models.json`."""
    return _learnt(json.loads(data))


def _learnt(document: Mapping[str, Mapping[str, Any]]) -> Learnt:
    models = {name: LearntModel.model_validate(fields) for name, fields in document.items()}
    other = {alias: models[name] for alias, name in ALIASES.items() if name in models}
    return MappingProxyType({**other, **models})
