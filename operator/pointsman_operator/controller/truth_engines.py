"""What is true of a pool's self-hosted models, as the hub watches and scrapes them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman_operator.api.pool import ModelPool
from pointsman_operator.controller.findings import Finding, finding, names
from pointsman_operator.controller.observed import OwnModel
from pointsman_operator.kube.reasons import Reason

RESOLVED, CAPACITY = "EndpointsResolved", "HasCapacity"


def found_models(pool: ModelPool) -> frozenset[str]:
    """The pool's models whose endpoints the hub finds."""
    return frozenset(
        model.name
        for model in pool.spec.models
        if model.self_hosted is not None and model.self_hosted.endpoints.url is None
    )


def engine_findings(wanted: frozenset[str], seen: Sequence[OwnModel], hub: str) -> list[Finding]:
    """EndpointsResolved and HasCapacity; none for a pool without such models.

    `hub` says why the hub cannot be asked; empty: it answers.
    """
    if not wanted:
        return []
    if hub:
        return [finding(RESOLVED, "Unknown", Reason.HUB_UNREACHABLE, hub)]
    known = [model for model in seen if model.name in wanted]
    if not known:
        text = "no policy that sidecars use names these models, or they are not known yet"
        return [finding(RESOLVED, "Unknown", Reason.NO_REPORTER, text)]
    return [_resolved(known), _capacity(known)]


def endpoint_share(wanted: frozenset[str], seen: Sequence[OwnModel]) -> dict[str, str]:
    """The status' `endpoints`: those that take calls, of all."""
    known = [model for model in seen if model.name in wanted]
    if not known:
        return {}
    return {"endpoints": f"{sum(it.ready for it in known)}/{sum(it.endpoints for it in known)}"}


def _resolved(known: Sequence[OwnModel]) -> Finding:
    missing = [model for model in known if not model.endpoints]
    if not missing:
        return finding(RESOLVED, "True", Reason.ENDPOINTS_RESOLVED)
    said = sorted({model.message for model in missing if model.message})
    text = "; ".join([f"no endpoint of {names(model.name for model in missing)}", *said])
    return finding(RESOLVED, "False", Reason.ENDPOINTS_MISSING, text)


def _capacity(known: Sequence[OwnModel]) -> Finding:
    """The worst first; it does not hold up `Ready`: what overflows works."""
    verdicts: tuple[tuple[Reason, str, Callable[[OwnModel], bool]], ...] = (
        (Reason.SATURATED, "full", lambda model: model.saturated),
        (Reason.ASLEEP, "asleep", lambda model: model.state == "Asleep"),
        (Reason.STARTING, "starting", lambda model: model.state == "Starting"),
    )
    for reason, word, holds in verdicts:
        found = [model.name for model in known if holds(model)]
        if found:
            text = f"every endpoint is {word}: {names(found)}"
            return finding(CAPACITY, "False", reason, text)
    return finding(CAPACITY, "True", Reason.HAS_CAPACITY)
