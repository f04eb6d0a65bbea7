"""The pod webhook's whole thought: strip, decide, size, build, compare. One screen."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from pointsman_operator.inject import names
from pointsman_operator.inject.container import VOLUMES, digest, sidecar
from pointsman_operator.inject.decide import Decision, decide
from pointsman_operator.inject.environment import Environment, add_environment, remove_environment
from pointsman_operator.inject.facts import Document, Namespace, Settings
from pointsman_operator.inject.objects import MalformedError, items, part
from pointsman_operator.inject.options import read_options
from pointsman_operator.inject.patch import Operation, difference
from pointsman_operator.inject.reasons import CANNOT, Reason
from pointsman_operator.inject.resources import NoRoomError, size
from pointsman_operator.inject.strip import is_injected, stripped


@dataclass(frozen=True)
class PodOutcome:
    """The answer to one pod."""

    decision: Decision
    patch: list[Operation] = field(default_factory=list)


def inject_pod(pod: Document, namespace: Namespace, settings: Settings) -> PodOutcome:
    """Decide about a pod as submitted and say what to change; never raises."""
    try:
        bare = stripped(pod)
        decision, wanted = _wanted(bare, namespace, settings)
        if not decision.inject and is_injected(pod):
            # Nobody would answer there.
            remove_environment(part(wanted, "spec"))
        # A mirror pod's patch would be refused, with the pod.
        patch = [] if decision.reason is Reason.MIRROR_POD else difference(pod, wanted)
    except MalformedError as error:
        return PodOutcome(Decision(Reason.MALFORMED, str(error)))
    return PodOutcome(decision, patch)


def _wanted(
    bare: dict[str, Any], namespace: Namespace, settings: Settings
) -> tuple[Decision, dict[str, Any]]:
    """The decision and the pod as it should be."""
    decision = decide(bare, namespace)
    if not decision.inject:
        return _refused(bare, decision)
    options, warnings = read_options(bare)
    try:
        resources, bent = size(bare, options, namespace)
    except NoRoomError as error:
        return _refused(bare, Decision(error.reason, str(error), warnings))
    pod = copy.deepcopy(bare)
    spec = pod.setdefault("spec", {})
    environment = add_environment(spec, options)
    container = sidecar(bare, options, settings, resources)
    spec["initContainers"] = _placed(items(spec, "initContainers"), container)
    spec["volumes"] = items(spec, "volumes") + copy.deepcopy(list(VOLUMES))
    _mark(pod, "labels", names.INJECTED, "true")
    _mark(pod, "annotations", names.STATUS, _status(container, environment, settings))
    told = decision.warnings + warnings + bent + _told(environment)
    return Decision(Reason.INJECTED, warnings=told), pod


def _refused(bare: dict[str, Any], decision: Decision) -> tuple[Decision, dict[str, Any]]:
    """Without the sidecar; where it was wanted, the pod says why it has none."""
    if decision.reason not in CANNOT:
        return decision, bare
    pod = copy.deepcopy(bare)
    mark = {"message": decision.message, "reason": decision.reason.value}
    _mark(pod, "annotations", names.NOT_INJECTED, json.dumps(mark, sort_keys=True))
    warning = f"no Pointsman sidecar ({decision.reason.value}): {decision.message}"
    return Decision(decision.reason, decision.message, (*decision.warnings, warning)), pod


def _placed(others: list[dict[str, Any]], container: dict[str, Any]) -> list[dict[str, Any]]:
    """Behind the service mesh, through which it calls; before all that may call through it."""
    mesh = [index for index, it in enumerate(others) if it.get("name") in names.MESH]
    place = mesh[-1] + 1 if mesh else 0
    return [*others[:place], container, *others[place:]]


def _status(container: Document, environment: Environment, settings: Settings) -> str:
    status: dict[str, Any] = {"spec": digest(container), "version": settings.version}
    if environment.conflicts:
        status["conflicts"] = environment.conflicts
    if environment.undetermined:
        status["undetermined"] = environment.undetermined
    return json.dumps(status, sort_keys=True, separators=(",", ":"))


def _told(environment: Environment) -> tuple[str, ...]:
    conflicts = [
        f"container {name!r} sets {', '.join(variables)} itself: its calls may go around Pointsman"
        for name, variables in environment.conflicts.items()
    ]
    hidden = [
        f"container {name!r} has envFrom, which may hold a base URL: its environment is left "
        f'alone; annotation {names.ENV_INJECTION}: "force" sets it'
        for name in environment.undetermined
    ]
    return (*conflicts, *hidden)


def _mark(pod: dict[str, Any], group: str, key: str, value: str) -> None:
    part(pod, "metadata")
    held = pod.setdefault("metadata", {})
    held[group] = {**part(held, group), key: value}
