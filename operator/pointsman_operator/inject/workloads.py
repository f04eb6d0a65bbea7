"""The workload webhook's thought: the annotation of the workload becomes its template's label.

It changes the user's own write and nothing else, so the pods roll by themselves and nobody fights
over the object afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pointsman_operator.inject import names
from pointsman_operator.inject.facts import Document
from pointsman_operator.inject.objects import MalformedError, controller, metadata, part
from pointsman_operator.inject.options import unknown_keys
from pointsman_operator.inject.patch import Operation, pointer

TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind holds its pod template."""


@dataclass(frozen=True)
class WorkloadOutcome:
    """The answer to one workload; `outcome` is what the metrics count."""

    outcome: str
    patch: list[Operation] = field(default_factory=list)
    warnings: tuple[str, ...] = ()


def label_template(kind: str, new: Document, old: Document | None = None) -> WorkloadOutcome:
    """What to change in a workload's write; `old` is what it replaces. Never raises."""
    path = TEMPLATES.get(kind)
    if path is None:
        return WorkloadOutcome("Ignored")
    try:
        return _label(kind, path, new, old)
    except MalformedError:
        # The API server's own validation says it better.
        return WorkloadOutcome("Malformed")


def _label(
    kind: str, path: tuple[str, ...], new: Document, old: Document | None
) -> WorkloadOutcome:
    if controller(new):
        # Its template is its owner's.
        return WorkloadOutcome("Owned")
    annotations = metadata(new, "annotations")
    warnings = _misplaced(annotations)
    asked = annotations.get(names.INJECT)
    before = None if old is None else metadata(old, "annotations").get(names.INJECT)
    labels = metadata(_template(new, path), "labels")
    now = labels.get(names.INJECT)
    if asked is not None and asked not in {"true", "false"}:
        problem = f'annotation {names.INJECT}: {asked!r} is neither "true" nor "false"'
        return WorkloadOutcome("Invalid", warnings=(*warnings, problem))
    if asked == now or (asked is None and (before is None or now != before)):
        return WorkloadOutcome("Unchanged", warnings=warnings)
    if kind == "Job" and old is not None and not _may_change(old):
        late = (
            f"a Job's pods are fixed when it is made: annotation {names.INJECT} comes too late "
            "for this one (TooLate); make the Job again"
        )
        return WorkloadOutcome("TooLate", warnings=(*warnings, late))
    if asked is None:
        where = pointer(*path, "metadata", "labels", names.INJECT)
        return WorkloadOutcome("Unlabelled", [{"op": "remove", "path": where}], warnings)
    return WorkloadOutcome("Labelled", _set(new, path, asked), warnings)


def _set(workload: Document, path: tuple[str, ...], value: str) -> list[Operation]:
    """Add the label, and whatever of its parents is not there."""
    template = _template(workload, path)
    steps = ("metadata", "labels", names.INJECT)
    parents = (part(template, "metadata"), metadata(template, "labels"))
    if parents[1]:
        return [{"op": "add", "path": pointer(*path, *steps), "value": value}]
    if parents[0]:
        return [{"op": "add", "path": pointer(*path, *steps[:2]), "value": {names.INJECT: value}}]
    content = {"labels": {names.INJECT: value}}
    return [{"op": "add", "path": pointer(*path, steps[0]), "value": content}]


def _template(workload: Document, path: tuple[str, ...]) -> Document:
    found: Document = workload
    for step in path:
        found = part(found, step)
    if not found:
        raise MalformedError("no pod template")
    return found


def _may_change(job: Document) -> bool:
    """Kubernetes lets labels of a template change while its Job is suspended and has not begun."""
    return part(job, "spec").get("suspend") is True and not part(job, "status").get("startTime")


def _misplaced(annotations: Document) -> tuple[str, ...]:
    """Settings are read from pods: on the workload itself they would do nothing."""
    misplaced = [
        f"annotation {key} belongs on the pod template (spec.template.metadata.annotations)"
        for key in sorted(names.SETTINGS & set(annotations))
    ]
    others = {key: value for key, value in annotations.items() if key not in names.SETTINGS}
    return (*misplaced, *unknown_keys(others))
