"""Bodies of the hub's API beside the ledger's (docs/contracts.md, section 3)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pointsman_operator.hub import limits
from pointsman_operator.hub.engines import limits as engines
from pointsman_operator.hub.engines.routers import Seen
from pointsman_operator.hub.health import Ago, Reported
from pointsman_operator.ledger.messages import NO_NUL

Label = Annotated[str, Field(max_length=limits.LABEL_CHARACTERS_MAX, pattern=NO_NUL)]
Name = Annotated[str, Field(min_length=1, max_length=limits.LABEL_CHARACTERS_MAX, pattern=NO_NUL)]
Sentence = Annotated[str, Field(max_length=limits.REASON_CHARACTERS_MAX)]
Facts = Annotated[dict[Label, Label], Field(max_length=limits.FACTS_MAX)]
Micro = Annotated[int, Field(ge=0, lt=2**63, strict=True)]


def _is_record(record: dict[str, Any]) -> dict[str, Any]:
    decision, time_ms = record.get("id"), record.get("time_ms")
    if not isinstance(decision, str) or not re.fullmatch(r"[\w.:-]{1,128}", decision):
        raise ValueError("a record needs an id")
    if not isinstance(time_ms, int) or not 0 <= time_ms < 2**63:
        raise ValueError("a record needs a time_ms")
    return record


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StreamQuery(_Message):
    """What a stream is asked for; `namespace` must be the token's."""

    sidecar: Name
    boot: Name
    namespace: Name
    workload: Label = ""
    digest: Label = ""
    labels: Annotated[str, Field(max_length=limits.TARGET_BYTES_MAX)] = ""
    gateway: Label = ""


class RejectedTable(_Message):
    """A table that the sidecar would not load."""

    digest: Label
    reason: Sentence


class Report(_Message):
    """What a sidecar runs and has decided; records are kept as they are."""

    sidecar: Name
    boot: Name
    digest: Label = ""
    rejected: RejectedTable | None = None
    version: Label = ""
    ledger: Sentence = ""
    targets: Facts = {}
    outages: Annotated[dict[Label, Reported], Field(max_length=limits.FACTS_MAX)] = {}
    answered: Annotated[dict[Label, Ago], Field(max_length=limits.FACTS_MAX)] = {}
    told_down: Annotated[tuple[Label, ...], Field(max_length=limits.FACTS_MAX)] = ()
    credentials: Facts = {}
    last_error: Sentence = ""
    endpoints: Annotated[
        dict[
            Label, Annotated[dict[Label, Seen], Field(max_length=engines.ENDPOINTS_PER_MODEL_MAX)]
        ],
        Field(max_length=engines.REPORTED_MODELS_MAX),
    ] = {}
    csr: Annotated[str, Field(max_length=limits.CERTIFICATE_BYTES_MAX)] = ""
    waiting: Sentence = ""
    records: Annotated[
        list[Annotated[dict[str, Any], AfterValidator(_is_record)]],
        Field(max_length=limits.RECORDS_PER_REPORT_MAX),
    ] = []


class TuningRequest(_Message):
    """New lambdas by rule, micro-probability per dollar."""

    lambdas: Annotated[
        dict[Label, Micro], Field(alias="lambda", max_length=limits.RULES_PER_TUNING_MAX)
    ]


class ReleaseRequest(_Message):
    """Free what is unconfirmed in an account's window, and why."""

    account: Name
    window: Name
    reason: Name
