"""Findings become conditions: joined, summed up, timed."""

from __future__ import annotations

from typing import Any

from pointsman_operator.controller.findings import Finding, conditions, finding
from pointsman_operator.kube.reasons import Reason

NOW, BEFORE = "2026-11-22T18:00:00Z", "2026-11-22T17:00:00Z"


def compiled(**statuses: str) -> list[dict[str, Any]]:
    """What compiling says; Ready is True unless given."""
    held = {"Accepted": "True", "Ready": "True"} | statuses
    return [
        {"type": kind, "status": status, "reason": f"{kind}Reason", "message": ""}
        for kind, status in held.items()
    ]


def told(
    own: list[dict[str, Any]], *found: Finding, previous: tuple[dict[str, Any], ...] = ()
) -> dict[str, dict[str, Any]]:
    """The conditions by type."""
    return {it["type"]: it for it in conditions(own, found, previous, 3, NOW)}


def test_ready_takes_the_first_reason_against_it() -> None:
    """A False condition makes Ready False with its own reason; an Unknown one does not."""
    missing = finding("Injected", "False", Reason.INJECTION_MISSING)
    unknown = finding("Programmed", "Unknown", Reason.NO_REPORTER)
    found = told(compiled(), unknown, missing)
    assert found["Ready"]["status"] == "False"
    assert found["Ready"]["reason"] == "InjectionMissing"
    assert told(compiled(), unknown)["Ready"]["status"] == "True"


def test_compiling_may_leave_false_what_is_no_fault() -> None:
    """A Budget under Audit enforces nothing and is Ready; a finding beside it still counts."""
    own = compiled(Enforced="False")
    assert told(own)["Ready"]["status"] == "True"
    behind = told(own, finding("Enforced", "False", Reason.PROGRAMMING))
    assert behind["Enforced"]["reason"] == "EnforcedReason"
    assert behind["Ready"]["reason"] == "Programming"


def test_what_compiling_refuses_stays() -> None:
    """A finding does not cover up a broken reference, nor its verdict on Ready."""
    own = compiled(ResolvedRefs="False", Ready="False")
    found = told(own, finding("ResolvedRefs", "True", Reason.RESOLVED))
    assert found["ResolvedRefs"]["reason"] == "ResolvedRefsReason"
    assert found["Ready"]["reason"] == "ReadyReason"


def test_an_unreachable_provider_does_not_hold_up_ready() -> None:
    """What fails over works."""
    down = finding("ProvidersReachable", "False", Reason.PROVIDER_UNREACHABLE)
    assert told(compiled(), down)["Ready"]["status"] == "True"


def test_times_change_with_the_status_only() -> None:
    """A new reason or message keeps the time; a new status takes the present one."""
    earlier = (
        {"type": "Accepted", "status": "True", "lastTransitionTime": BEFORE},
        {"type": "Ready", "status": "False", "lastTransitionTime": BEFORE},
    )
    found = told(compiled(), previous=earlier)
    assert found["Accepted"]["lastTransitionTime"] == BEFORE
    assert found["Ready"]["lastTransitionTime"] == NOW
    assert {it["observedGeneration"] for it in found.values()} == {3}


def test_every_reason_that_is_not_good_has_a_remedy() -> None:
    """A reason without a remedy is one where there is nothing to do."""
    fine = {
        *(Reason.PROGRAMMED, Reason.NO_REPORTER, Reason.NO_PODS, Reason.INJECTED, Reason.RESOLVED),
        *(Reason.PROVIDERS_REACHABLE, Reason.LEDGER_AVAILABLE, Reason.BELOW_THRESHOLDS),
        *(Reason.WITHIN_LIMIT, Reason.READY, Reason.ENDPOINTS_RESOLVED, Reason.HAS_CAPACITY),
    }
    assert {reason for reason in Reason if not reason.remedy} == fine


def test_reasons_are_words_for_machines() -> None:
    """CamelCase, as Kubernetes demands of reasons, and no two alike."""
    values = [reason.value for reason in Reason]
    assert all(value.isalnum() and value[0].isupper() for value in values)
    assert not any(value.endswith("Error") for value in values)
    assert len(values) == len(set(values))
