"""AdmissionReview v1: the part of it that we read, and our answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pointsman_operator.inject import limits as inject_limits
from pointsman_operator.injector import limits

API_VERSION = "admission.k8s.io/v1"


class _Part(BaseModel):
    # "keys": no pod's strings are worth keeping, and their UIDs are new each time.
    model_config = ConfigDict(frozen=True, extra="ignore", cache_strings="keys")


class Kind(_Part):
    """What kind of object it is about."""

    group: str = ""
    kind: str


class Request(_Part):
    """One question."""

    uid: str = Field(min_length=1, max_length=limits.UID_CHARACTERS_MAX)
    kind: Kind
    namespace: str = Field(default="", max_length=limits.NAME_CHARACTERS_MAX)
    operation: Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
    new: dict[str, Any] | None = Field(default=None, alias="object")
    old: dict[str, Any] | None = Field(default=None, alias="oldObject")


class Review(_Part):
    """The question in its envelope."""

    api_version: Literal["admission.k8s.io/v1"] = Field(alias="apiVersion")
    kind: Literal["AdmissionReview"]
    request: Request


def answer(uid: str, patch: list[dict[str, Any]], warnings: Iterable[str] = ()) -> dict[str, Any]:
    """Allowed, as everything that we answer: what we cannot do is told by marks and warnings."""
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if patch:
        packed = json.dumps(patch, separators=(",", ":")).encode()
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(packed).decode()}
    told = [cut(warning) for warning in warnings]
    if told:
        response["warnings"] = told[: inject_limits.WARNINGS_MAX]
    return {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}


def cut(warning: str) -> str:
    """A warning as long as the API server passes on, on one line."""
    line = " ".join(warning.split())
    most = inject_limits.WARNING_CHARACTERS_MAX
    return line if len(line) <= most else line[: most - 1] + "…"
