"""What is true of a ModelPool, from the sidecars of all policies that route to it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.compile import CompiledTable
from pointsman_operator.controller.findings import Finding, finding, names
from pointsman_operator.controller.observed import Down, Sidecar, Strained
from pointsman_operator.controller.truth_refs import (
    CLOSED,
    HALF_OPEN,
    OPEN,
    breaker_counts,
    judge_secrets,
    own_models,
)
from pointsman_operator.kube.reasons import Reason


@dataclass(frozen=True)
class PoolUse:
    """One policy that routes to the pool, and its sidecars that report."""

    table: CompiledTable
    reports: Sequence[Sidecar]


def pool_findings(
    pool: ObjectName, secrets: set[str], uses: Sequence[PoolUse], down: Sequence[Down]
) -> list[Finding]:
    """ResolvedRefs and ProvidersReachable; `secrets` are those that its models name."""
    return [_resolved(pool, secrets, uses), _reachable(pool, uses, down)]


def pool_targets(
    pool: ObjectName,
    uses: Sequence[PoolUse],
    down: Sequence[Down],
    strained: Sequence[Strained],
) -> list[dict[str, Any]]:
    """Each model's breakers, counted, why most that are not closed are not, and what all know."""
    told = {it.name: it.since for it in down}
    limited = _limited(strained)
    classes = _classes(pool, uses)
    breakers = _breakers(pool, uses)
    counted = ((model, breakers.get(model, Counter())) for model in breakers.keys() | limited)
    return [
        {
            "name": model,
            "closed": states[CLOSED],
            "halfOpen": states[HALF_OPEN],
            "open": states[OPEN],
            **({"error": _usual(classes[model])} if model in classes else {}),
            **({"downSince": told[model]} if model in told else {}),
            **limited.get(model, {}),
        }
        for model, states in sorted(counted, key=itemgetter(0))
    ]


def _limited(strained: Sequence[Strained]) -> dict[str, dict[str, str]]:
    """Of each model the limit that is told of: the one that has refused calls for longest."""
    found: dict[str, dict[str, str]] = {}
    # Those that refuse come first, then by name, so that a status does not waver.
    for it in sorted(strained, key=lambda it: (not it.refusing_since, it.refusing_since, it.limit)):
        since = {"refusingSince": it.refusing_since} if it.refusing_since else {}
        found.setdefault(it.name, {"nearLimit": it.limit, **since})
    return found


def _resolved(pool: ObjectName, secrets: set[str], uses: Sequence[PoolUse]) -> Finding:
    if not secrets:
        return finding("ResolvedRefs", "True", Reason.RESOLVED)
    # Where a gateway stands between, the caller's sidecar knows nothing of keys.
    keyed = [use for use in uses if any(model.secret for model in _own(pool, use))]
    judged = [judge_secrets(_own(pool, use), use.reports) for use in keyed]
    for status in ("False", "True"):
        for verdict in judged:
            if verdict.status == status:
                return verdict
    text = "no sidecar uses the keys"
    return finding("ResolvedRefs", "Unknown", Reason.NO_REPORTER, text)


def _reachable(pool: ObjectName, uses: Sequence[PoolUse], down: Sequence[Down]) -> Finding:
    breakers = _breakers(pool, uses)
    if not breakers:
        text = "no sidecar has called a model yet"
        return finding("ProvidersReachable", "Unknown", Reason.NO_REPORTER, text)
    found = {it.name for it in down} & breakers.keys()
    found |= {model for model, states in breakers.items() if not states[CLOSED]}
    if found:
        text = f"sidecars try {names(found)} last: calls failed"
        return finding("ProvidersReachable", "False", Reason.PROVIDER_UNREACHABLE, text)
    return finding("ProvidersReachable", "True", Reason.PROVIDERS_REACHABLE)


def _breakers(pool: ObjectName, uses: Sequence[PoolUse]) -> dict[str, Counter[str]]:
    """By the model's name within the pool; models that nobody called are left out."""
    found: dict[str, Counter[str]] = {}
    for use in uses:
        models = [model.name for model in _own(pool, use)]
        for name, states in breaker_counts(models, use.reports).items():
            if states:
                found.setdefault(name.partition("/")[2], Counter()).update(states)
    return found


def _classes(pool: ObjectName, uses: Sequence[PoolUse]) -> dict[str, Counter[str]]:
    """By the model's name within the pool: for which errors sidecars do not call it."""
    found: dict[str, Counter[str]] = {}
    for use in uses:
        for model in _own(pool, use):
            failing = (it.outages for it in use.reports if model.name in it.outages)
            classes = Counter(outages[model.name] for outages in failing)
            if classes:
                found.setdefault(model.name.partition("/")[2], Counter()).update(classes)
    return found


def _usual(classes: Counter[str]) -> str:
    """The most frequent; of equals the first by name, so that a status does not waver."""
    return min(classes, key=lambda name: (-classes[name], name))


def _own(pool: ObjectName, use: PoolUse) -> list[Any]:
    return [model for model in own_models(use.table) if model.pool == pool]
