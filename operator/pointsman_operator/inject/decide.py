"""Whether a pod gets the sidecar, and if not, why: a pure function of the pod and its namespace."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_operator.inject import names
from pointsman_operator.inject.container import VOLUMES
from pointsman_operator.inject.facts import Document, Namespace
from pointsman_operator.inject.objects import containers, items, metadata, part
from pointsman_operator.inject.reasons import Reason

MIRROR = "kubernetes.io/config.mirror"
OURS = frozenset(volume["name"] for volume in VOLUMES)


@dataclass(frozen=True)
class Decision:
    """What is to be done, and why."""

    reason: Reason
    message: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def inject(self) -> bool:
        """Whether the pod gets the sidecar."""
        return self.reason is Reason.INJECTED


def decide(pod: Document, namespace: Namespace) -> Decision:
    """Decide for a pod without any part of ours."""
    if MIRROR in metadata(pod, "annotations"):
        return Decision(Reason.MIRROR_POD, "a mirror pod cannot be changed")
    label = metadata(pod, "labels").get(names.INJECT)
    warnings: tuple[str, ...] = ()
    if label not in {None, "true", "false"}:
        warnings = (f'label {names.INJECT}: {label!r} is neither "true" nor "false"',)
    if label == "false":
        return Decision(Reason.OPTED_OUT, f'the pod\'s label {names.INJECT} is "false"')
    if label != "true" and namespace.injection not in {"enabled", "required"}:
        return Decision(Reason.NOT_REQUESTED, "neither pod nor namespace asks for it", warnings)
    return _hindrance(pod) or Decision(Reason.INJECTED, warnings=warnings + _notes(pod))


def _hindrance(pod: Document) -> Decision | None:
    spec = part(pod, "spec")
    if spec.get("hostNetwork") is True:
        return Decision(
            Reason.HOST_NETWORK,
            "hostNetwork: the router listens on the pod's own loopback address; take hostNetwork "
            "away, or call a gateway",
        )
    on = part(spec, "os").get("name") or part(spec, "nodeSelector").get("kubernetes.io/os")
    if on == "windows":
        return Decision(Reason.WINDOWS, "the router runs on Linux nodes only")
    for container in containers(pod):
        if container.get("name") == names.CONTAINER:
            return Decision(
                Reason.NAME_TAKEN,
                f"the pod has a container {names.CONTAINER!r} of its own; call it otherwise",
            )
        for port in items(container, "ports"):
            if port.get("containerPort") in names.PORTS and port.get("protocol") != "UDP":
                return Decision(
                    Reason.PORT_CLASH,
                    f"container {container.get('name')!r} listens on {port['containerPort']}, a "
                    f"port of the router's ({', '.join(map(str, names.PORTS))})",
                )
    for volume in items(spec, "volumes"):
        if volume.get("name") in OURS:
            return Decision(
                Reason.NAME_TAKEN,
                f"the pod has a volume {volume['name']!r} of its own; call it otherwise",
            )
    return None


def _notes(pod: Document) -> tuple[str, ...]:
    spec = part(pod, "spec")
    if spec.get("shareProcessNamespace") is True or spec.get("hostPID") is True:
        shown = "the pod shares its process namespace: its containers can read the router's files"
        return (f"{shown}, provider keys among them",)
    return ()
