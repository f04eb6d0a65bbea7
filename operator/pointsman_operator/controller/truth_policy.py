"""What is true of a RoutingPolicy, from its pods and their sidecars' reports. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.compile import CompiledTable
from pointsman_operator.controller import limits
from pointsman_operator.controller.findings import Finding, State, finding, names
from pointsman_operator.controller.observed import Pod, Sidecar
from pointsman_operator.controller.truth_refs import (
    judge_gateways,
    judge_providers,
    judge_secrets,
    own_models,
)
from pointsman_operator.kube.reasons import Reason

OUTDATED = "SidecarOutdated"
"""The engine's reason for refusing a table that is too new for it."""


Verdict = tuple[State, Reason, str]


@dataclass(frozen=True)
class Trouble:
    """Why a table is not where it should be."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class PolicyView:
    """All that a policy's status depends on beside its compiled table."""

    pods: Sequence[Pod]
    """Those that it serves."""
    namespace_label: str
    """Its namespace's `pointsman.dev/injection`."""
    sidecars: Mapping[str, Sidecar]
    """By pod UID, of the whole fleet."""
    hub: str
    """Why the hub cannot be asked; empty: it answers."""
    trouble: Trouble | None
    now: float
    """Unix seconds."""
    without_gateway: Sequence[ObjectName] = ()
    """Pools of other namespaces that no ready gateway serves."""

    @property
    def asking(self) -> list[Pod]:
        """Pods that are meant to have a router."""
        return [pod for pod in self.pods if pod.asks(self.namespace_label) or pod.injected]

    @property
    def injected(self) -> list[Pod]:
        """Pods that have one."""
        return [pod for pod in self.pods if pod.injected]

    def young(self, pod: Pod) -> bool:
        """Whether it may still be starting."""
        return self.now - pod.created < limits.STARTS_WITHIN_S

    @property
    def reporting(self) -> list[Sidecar]:
        """Their sidecars whose stream is open."""
        known = (self.sidecars.get(pod.uid) for pod in self.injected)
        return [sidecar for sidecar in known if sidecar is not None and sidecar.connected]


def policy_findings(compiled: CompiledTable, view: PolicyView) -> list[Finding]:
    """ResolvedRefs, Programmed, Injected, ProvidersReachable."""
    models = own_models(compiled)
    reports = view.reporting
    return [
        judge_gateways(view.without_gateway) or judge_secrets(models, reports),
        _programmed(compiled, view),
        _injected(view),
        judge_providers(models, reports),
    ]


def policy_counts(compiled: CompiledTable, view: PolicyView) -> dict[str, Any]:
    """The status' figures."""
    running = [it for it in view.reporting if it.digest == compiled.digest]
    injected = len(view.injected)
    return {
        "pods": len(view.pods),
        "injected": f"{injected}/{len(view.asking)}",
        "programmed": f"{len(running)}/{injected}",
    }


def next_look(view: PolicyView) -> float | None:
    """Seconds until a pod that starts now counts as started; None: nothing changes by itself."""
    ends = [
        pod.created + limits.STARTS_WITHIN_S - view.now
        for pod in view.injected
        if (sidecar := view.sidecars.get(pod.uid)) is None or not sidecar.digest
    ]
    return min((left for left in ends if left > 0), default=None)


def _programmed(compiled: CompiledTable, view: PolicyView) -> Finding:
    status, reason, message = _blind(view) or _heard(compiled.digest, view)
    return finding("Programmed", status, reason, message)


def _blind(view: PolicyView) -> Verdict | None:
    """What stands before any sidecar's word; None: they can be heard."""
    if view.trouble is not None:
        return "False", view.trouble.reason, view.trouble.message
    if view.hub:
        return "Unknown", Reason.HUB_UNREACHABLE, view.hub
    if not view.pods:
        return "True", Reason.NO_PODS, "no running pod is selected"
    if not view.injected:
        return "Unknown", Reason.NO_REPORTER, "none of the selected pods has a router"
    return None


def _heard(digest: str, view: PolicyView) -> Verdict:
    """What the sidecars say, the worst of it first."""
    running, refusing, behind, silent = _sorted(digest, view)
    outdated = [pod for pod, why in refusing if why.startswith(OUTDATED)]
    verdicts: list[tuple[bool, Verdict]] = [
        (bool(outdated), ("False", Reason.SIDECAR_OUTDATED, f"too old: {names(outdated)}")),
        (bool(refusing), ("False", Reason.TABLE_REJECTED, _refusals(refusing))),
        (bool(silent), ("False", Reason.SIDECAR_DISCONNECTED, f"no stream: {names(silent)}")),
        (bool(behind), ("False", Reason.UPDATING, f"not yet there: {names(behind)}")),
        (not running, ("Unknown", Reason.NO_REPORTER, "the sidecars are starting")),
    ]
    found: Verdict = ("True", Reason.PROGRAMMED, f"{running} sidecars run this table")
    return next((verdict for holds, verdict in verdicts if holds), found)


def _refusals(refusing: list[tuple[str, str]]) -> str:
    shown = names(pod for pod, _ in refusing)
    return f"{shown}: {refusing[0][1]}" if refusing else ""


def _sorted(
    digest: str, view: PolicyView
) -> tuple[int, list[tuple[str, str]], list[str], list[str]]:
    """How many run the table; who refuses it, and why; who runs another; who is not heard."""
    running, refusing, behind, silent = 0, [], [], []
    for pod in view.injected:
        sidecar = view.sidecars.get(pod.uid)
        if sidecar is None:
            if not view.young(pod):
                silent.append(pod.name)
        elif not sidecar.connected:
            silent.append(pod.name)
        elif sidecar.digest == digest:
            running += 1
        elif sidecar.rejected_digest == digest:
            refusing.append((pod.name, sidecar.rejected_reason))
        else:
            behind.append(pod.name)
    return running, refusing, behind, silent


def _injected(view: PolicyView) -> Finding:
    def found(status: State, reason: Reason, message: str = "") -> Finding:
        return finding("Injected", status, reason, message)

    asking = view.asking
    without = [pod for pod in asking if not pod.injected]
    hindered = [pod for pod in without if pod.obstacle]
    if hindered:
        first = min(hindered, key=lambda pod: pod.name)
        shown = names(pod.name for pod in hindered)
        return found("False", Reason.NOT_INJECTABLE, f"{shown}: {first.obstacle}")
    if without:
        shown = names(pod.name for pod in without)
        text = f"{len(without)} of {len(asking)} pods have no router: {shown}"
        return found("False", Reason.INJECTION_MISSING, text)
    for reason, field in (
        (Reason.ENV_CONFLICT, "conflicts"),
        (Reason.ENV_UNDETERMINED, "undetermined"),
    ):
        marked = [pod for pod in asking if getattr(pod, field)]
        if marked:
            shown = names(pod.name for pod in marked)
            return found("False", reason, f"{shown}: {getattr(marked[0], field)}")
    if not asking:
        text = "no selected pod asks for a router" if view.pods else "no running pod is selected"
        return found("True", Reason.NO_PODS, text)
    return found("True", Reason.INJECTED)
