"""Resolved resources to the table's rules, signals and budgets: one function a part."""

from __future__ import annotations

from pointsman_operator.api import money
from pointsman_operator.api.budget import Budget, Subject
from pointsman_operator.api.durations import milliseconds
from pointsman_operator.api.meta import HeaderMatch
from pointsman_operator.api.policy import Signal, When
from pointsman_operator.api.route import Candidate, HoldBack, Overflow, Retries, Timeouts
from pointsman_operator.compile.table import (
    TableCandidate,
    TableHoldBack,
    TableOverflow,
    TableRetries,
    TableSignal,
    TableTimeouts,
    TableTokens,
    TableWhen,
)
from pointsman_operator.compile.table_budget import (
    TableBudget,
    TableEnforcement,
    TableLimit,
    TableSubject,
    TableThreshold,
    TableWindow,
)
from pointsman_operator.compile.table_part import TableHeader

KEY_HEADER = "x-pointsman-key"
"""At a gateway the proven key's name, whatever the caller sent."""


def lower_signal(signal: Signal) -> TableSignal:
    """A named statement."""
    tokens = signal.tokens
    return TableSignal(
        name=signal.name,
        detector=signal.detector,
        task=signal.task,
        tokens=TableTokens(min=tokens.min, max=tokens.max) if tokens else None,
        header=lower_header(signal.header),
        keywords=tuple(sorted(signal.keywords)) if signal.keywords else None,
        models=tuple(sorted(signal.models)) if signal.models else None,
    )


def lower_header(header: HeaderMatch | None) -> TableHeader | None:
    """A header match, its name in lower case as HTTP compares it."""
    if header is None:
        return None
    return TableHeader(name=header.name.lower(), values=tuple(sorted(header.values)))


def lower_when(when: When) -> TableWhen:
    """A rule's condition."""
    return TableWhen(
        any_of=tuple(sorted(when.any_of)),
        all_of=tuple(sorted(when.all_of)),
        none_of=tuple(sorted(when.none_of)),
        models=tuple(sorted(when.models)),
    )


def lower_candidate(candidate: Candidate) -> TableCandidate:
    """A candidate with its defaults: weight 1, priority 0."""
    weight = 1 if candidate.weight is None else candidate.weight
    return TableCandidate(model=candidate.model, weight=weight, priority=candidate.priority or 0)


def lower_retries(retries: Retries) -> TableRetries:
    """Attempts."""
    return TableRetries(
        max_attempts=retries.max_attempts,
        budget_percent=retries.budget_percent,
        min_per_second=retries.min_per_second,
    )


def lower_timeouts(timeouts: Timeouts) -> TableTimeouts:
    """Limits on waiting, in milliseconds."""
    return TableTimeouts(
        first_token_ms=milliseconds(timeouts.first_token),
        stream_idle_ms=milliseconds(timeouts.stream_idle),
        total_ms=milliseconds(timeouts.total),
    )


def lower_hold_back(hold: HoldBack | None) -> TableHoldBack | None:
    """How much of a stream is held back."""
    return None if hold is None else TableHoldBack(tokens=hold.tokens, ms=hold.ms)


def lower_attribution(subject: Subject) -> TableHeader | None:
    """Whose requests count: a header's, or a key's, which gateways put into a header of ours."""
    if subject.key is not None:
        return TableHeader(name=KEY_HEADER, values=tuple(sorted(subject.key.names)))
    return lower_header(subject.header)


def lower_overflow(overflow: Overflow) -> TableOverflow | None:
    """When the next candidate takes over; None: always, as most routes want."""
    if overflow == Overflow():
        return None
    return TableOverflow(
        on_saturated=overflow.on_saturated,
        on_cold_start=overflow.on_cold_start,
        on_error=overflow.on_error,
    )


def lower_budget(budget: Budget, namespaces: frozenset[str]) -> TableBudget:
    """A Budget that counts requests of these namespaces; its own alone need not be told apart."""
    spec, own = budget.spec, budget.metadata.namespace
    limits = sorted(spec.limits, key=lambda limit: limit.name)
    steps = sorted(spec.thresholds, key=lambda step: (step.percent, step.action))
    enforcement = spec.enforcement
    return TableBudget(
        namespace=own,
        name=budget.metadata.name,
        subject=TableSubject(
            namespaces=() if namespaces == {own} else tuple(sorted(namespaces)),
            workloads=tuple(sorted(spec.subject.workloads)),
            header=lower_attribution(spec.subject),
            models=tuple(sorted(spec.subject.models)),
        ),
        limits=tuple(
            TableLimit(
                name=limit.name,
                amount=money.picodollars(limit.amount),
                window=TableWindow(
                    calendar=limit.window.calendar, time_zone=limit.window.time_zone
                ),
            )
            for limit in limits
        ),
        thresholds=tuple(
            TableThreshold(percent=step.percent, action=step.action, max_tier=step.max_tier)
            for step in steps
        ),
        enforcement=TableEnforcement(
            mode=enforcement.mode,
            on_ledger_unavailable=enforcement.on_ledger_unavailable,
            outage_horizon_seconds=milliseconds(enforcement.outage_horizon) // 1000,
            default_max_tokens=enforcement.default_max_tokens,
        ),
    )
