"""What is true of a RoutingPolicy with a gateway of its own, from its pods' reports. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pointsman_operator.api.gateways import url
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.compile import CompiledTable
from pointsman_operator.controller.findings import Finding, finding, names
from pointsman_operator.controller.observed import Sidecar
from pointsman_operator.controller.truth_policy import Trouble
from pointsman_operator.controller.truth_refs import (
    judge_gateways,
    judge_providers,
    judge_secrets,
    own_models,
)
from pointsman_operator.kube.reasons import Reason


@dataclass(frozen=True)
class EntryView:
    """All that the status of such a policy depends on beside its compiled table."""

    name: ObjectName
    replicas: int
    reports: Sequence[Sidecar]
    """Of its gateway's pods whose stream is open."""
    hub: str
    """Why the hub cannot be asked; empty: it answers."""
    trouble: Trouble | None
    without_gateway: Sequence[ObjectName] = ()
    """Pools of other namespaces that no ready gateway serves."""
    allowed: bool = True
    """Whether a gateway may run in its namespace; if not, compiling has said so."""


def entry_findings(compiled: CompiledTable, view: EntryView) -> list[Finding]:
    """ResolvedRefs, Programmed, Injected, ProvidersReachable."""
    models = own_models(compiled)
    return [
        judge_gateways(view.without_gateway) or judge_secrets(models, view.reports),
        _programmed(compiled, view),
        finding("Injected", "True", Reason.NO_PODS, "callers with an API key need no router"),
        judge_providers(models, view.reports),
    ]


def entry_facts(compiled: CompiledTable, view: EntryView) -> dict[str, Any]:
    """The status' figures, and where callers find the gateway."""
    share = f"{len(_running(compiled, view))}/{view.replicas}"
    counted = {"pods": len(view.reports), "injected": "0/0", "programmed": share}
    if not view.allowed:
        return counted
    return counted | {"gateway": {"url": f"{url('policy', view.name)}/v1", "ready": share}}


def _programmed(compiled: CompiledTable, view: EntryView) -> Finding:
    if view.trouble is not None:
        return finding("Programmed", "False", view.trouble.reason, view.trouble.message)
    if view.hub:
        return finding("Programmed", "Unknown", Reason.HUB_UNREACHABLE, view.hub)
    running = _running(compiled, view)
    refusing = [it for it in view.reports if it.rejected_digest == compiled.digest]
    if refusing:
        shown = names(it.pod for it in refusing)
        text = f"{shown}: {refusing[0].rejected_reason}"
        return finding("Programmed", "False", Reason.TABLE_REJECTED, text)
    if not running:
        waiting = [it for it in view.reports if it.waiting]
        text = "no pod of the gateway runs this table"
        if waiting:
            text = f"{names(it.pod for it in waiting)}: waits for {waiting[0].waiting}"
        return finding("Programmed", "False", Reason.ENTRY_NOT_READY, text)
    behind = [it.pod for it in view.reports if it.digest != compiled.digest]
    if behind:
        return finding("Programmed", "False", Reason.UPDATING, f"not yet there: {names(behind)}")
    text = f"{len(running)} of {view.replicas} gateway pods run this table"
    return finding("Programmed", "True", Reason.PROGRAMMED, text)


def _running(compiled: CompiledTable, view: EntryView) -> list[Sidecar]:
    """Those that take calls by it."""
    return [it for it in view.reports if it.digest == compiled.digest and not it.waiting]
