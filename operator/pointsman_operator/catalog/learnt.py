"""What `learn fit` shipped: a quality head.

Mean quality and expected answer length by upstream model id.

The file `learn/artefacts/models.json` is the contract between learning and compiling; nothing is
imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


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
"""By upstream model id."""


@cache
def bundled_learnt() -> Learnt:
    """What this version ships."""
    file = resources.files("pointsman_operator").joinpath("learn/artefacts/models.json")
    return read_learnt(file.read_bytes()) if file.is_file() else MappingProxyType({})


def read_learnt(data: bytes) -> Learnt:
    """The learnt models of a file; members that are no models (`about`, …) are passed over."""
    document: dict[str, Any] = json.loads(data)
    models = document.get("models", document)
    return MappingProxyType(
        {
            name: LearntModel.model_validate(fields)
            for name, fields in sorted(models.items())
            if isinstance(fields, dict)
        }
    )
