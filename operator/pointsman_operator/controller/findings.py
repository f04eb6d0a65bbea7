"""Findings to conditions: joined with what compiling says, summed up in `Ready`. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pointsman_operator.api import bounds
from pointsman_operator.controller import limits
from pointsman_operator.kube.reasons import Reason

State = Literal["True", "False", "Unknown"]

GOOD = {
    *("Accepted", "ResolvedRefs", "ModelsResolved", "EndpointsResolved"),
    *("Programmed", "Injected", "LedgerAvailable"),
}
"""Conditions whose being False means that something does not work; Unknown holds nothing up."""
HOLDING_UP = GOOD | {"Enforced"}
"""Those of whose findings a False one keeps the resource from being Ready. `Enforced` is no fault
where Audit makes it False: that is compiling's word, no finding."""


@dataclass(frozen=True)
class Finding:
    """One observation about a resource."""

    type: str
    status: State
    reason: Reason
    message: str = ""


def finding(type_: str, status: State, reason: Reason, message: str = "") -> Finding:
    """With the reason's remedy at the message's end."""
    text = message or ("" if status == "True" else reason.meaning)
    if reason.remedy and status != "True":
        text = f"{text}; {reason.remedy}"
    return Finding(type_, status, reason, text)


def names(found: Iterable[str]) -> str:
    """Some names of many."""
    ordered = sorted(found)
    shown = ", ".join(ordered[: limits.NAMES_SHOWN])
    rest = len(ordered) - limits.NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def conditions(
    compiled: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
    previous: Sequence[Mapping[str, Any]],
    generation: int,
    now: str,
) -> list[dict[str, Any]]:
    """All conditions of a status by type, `Ready` last.

    `compiled` are compiling's own, with its verdict on `Ready` among them; a finding replaces one
    of its type unless compiling itself found fault there. A condition keeps its time while its
    status stays.
    """
    made = {str(it["type"]): dict(it) for it in compiled}
    ready = made.pop("Ready")
    for found in findings:
        own = made.get(found.type)
        if own is None or own["status"] == "True":
            made[found.type] = _fields(found)
    if ready["status"] == "True":
        ready = _summary(findings)
    made["Ready"] = ready
    times = {str(it["type"]): it for it in previous}
    return [
        {**fields, **_stamp(fields, times.get(kind), generation, now)}
        for kind, fields in made.items()
    ]


def moment(unix_s: float) -> str:
    """RFC 3339 in UTC, to the second."""
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fields(found: Finding) -> dict[str, Any]:
    message = found.message
    if len(message) > bounds.MESSAGE_LENGTH:
        message = message[: bounds.MESSAGE_LENGTH - 1] + "…"
    return {
        "type": found.type,
        "status": found.status,
        "reason": found.reason.value,
        "message": message,
    }


def _summary(findings: Iterable[Finding]) -> dict[str, Any]:
    """Not ready for the first reason that there is; compiling finds none."""
    for found in findings:
        if found.type in HOLDING_UP and found.status == "False":
            return {**_fields(found), "type": "Ready"}
    return {"type": "Ready", "status": "True", "reason": Reason.READY.value, "message": ""}


def _stamp(
    fields: Mapping[str, Any], before: Mapping[str, Any] | None, generation: int, now: str
) -> dict[str, Any]:
    same = before is not None and before.get("status") == fields["status"]
    since = before.get("lastTransitionTime") if same and before else None
    return {"observedGeneration": generation, "lastTransitionTime": since or now}
