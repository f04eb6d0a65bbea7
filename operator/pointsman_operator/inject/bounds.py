"""What a namespace allows one more container of a pod: its LimitRanges and ResourceQuotas, joined.

`resources` finds a size within these bounds, or says which of them leaves none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pointsman_operator.inject import quantity, usage
from pointsman_operator.inject.facts import Document, Namespace
from pointsman_operator.inject.objects import MalformedError, items, part
from pointsman_operator.inject.reasons import Reason


@dataclass(frozen=True)
class Cap:
    """A largest value and what sets it."""

    value: int
    reason: Reason
    says: str


@dataclass(frozen=True)
class Bounds:
    """For one resource of one container; integers as in `usage`."""

    least: int = 0
    limit_caps: tuple[Cap, ...] = ()
    request_caps: tuple[Cap, ...] = ()
    ratio: Fraction | None = None
    """Largest limit divided by request."""
    default: int | None = None
    """The limit that the namespace would put where none is said."""
    limit_needed: bool = False


def bounds_of(namespace: Namespace, pod: Document, resource: str) -> Bounds:
    """All that binds a container that joins the pod."""
    leasts, ratios, defaults = [0], [], []
    caps: list[Cap] = []
    for name, item in _ranges(namespace):
        whole_pod = item.get("type") == "Pod"
        own = _own(pod, resource) if whole_pod else 0
        if not whole_pod:
            leasts += _amounts(item, "min", resource)
            defaults += _amounts(item, "default", resource)
        for most in _amounts(item, "max", resource):
            shown = usage.show(resource, most)
            what = "a pod" if whole_pod else "a container"
            says = f"LimitRange {name} allows {what} at most {shown} {resource}"
            caps.append(Cap(most - own, Reason.LIMIT_RANGE, says))
        ratios += _ratios(item, resource)
    limit_quotas = tuple(_quotas(namespace, pod, resource, "limits"))
    return Bounds(
        least=max(leasts),
        limit_caps=(*caps, *limit_quotas),
        request_caps=(*caps, *_quotas(namespace, pod, resource, "requests")),
        ratio=min(ratios, default=None),
        default=max(defaults, default=None),
        limit_needed=bool(caps or ratios or defaults or limit_quotas),
    )


def tells_classes_apart(namespace: Namespace) -> bool:
    """Whether a quota counts BestEffort pods differently: then the pod must stay what it is."""
    scopes = {str(scope.get("scopeName")) for quota in namespace.quotas for scope in _scopes(quota)}
    return bool(scopes & {"BestEffort", "NotBestEffort"})


def _ranges(namespace: Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    for limit_range in namespace.limit_ranges:
        name = str(part(limit_range, "metadata").get("name", ""))
        for item in items(part(limit_range, "spec"), "limits"):
            if item.get("type") in {"Container", "Pod"}:
                yield name, item


def _own(pod: Document, resource: str) -> int:
    return max(usage.total(pod, kind, resource) for kind in usage.KINDS)


def _amounts(item: Document, key: str, resource: str) -> list[int]:
    written = part(item, key).get(resource)
    return [] if written is None else [usage.read(resource, written)]


def _ratios(item: Document, resource: str) -> list[Fraction]:
    written = part(item, "maxLimitRequestRatio").get(resource)
    if written is None:
        return []
    try:
        return [Fraction(quantity.milli(written), 1000)]
    except ValueError as error:
        raise MalformedError(f"maxLimitRequestRatio: {error}") from error


def _quotas(namespace: Namespace, pod: Document, resource: str, kind: str) -> Iterator[Cap]:
    keys = [f"{kind}.{resource}"] + ([resource] if kind == "requests" else [])
    for quota in namespace.quotas:
        if not all(_in_scope(pod, scope) for scope in _scopes(quota)):
            continue
        status = part(quota, "status")
        hard = part(status, "hard") or part(part(quota, "spec"), "hard")
        for key in keys:
            if key not in hard:
                continue
            used = usage.read(resource, part(status, "used").get(key, 0))
            left = usage.read(resource, hard[key]) - used
            room = left - usage.total(pod, kind, resource)
            if room < 0:
                # The pod does not fit even without us: the API server says so better.
                room = left
            name = part(quota, "metadata").get("name", "")
            says = f"ResourceQuota {name} leaves {usage.show(resource, max(room, 0))} of {key}"
            yield Cap(room, Reason.QUOTA, says)


def _scopes(quota: Document) -> list[dict[str, Any]]:
    spec = part(quota, "spec")
    plain = spec.get("scopes") or []
    named = [{"scopeName": scope, "operator": "Exists"} for scope in plain]
    return named + items(part(spec, "scopeSelector"), "matchExpressions")


def _in_scope(pod: Document, scope: Document) -> bool:
    """Whether a quota's scope takes the pod once it has the sidecar's requests."""
    spec = part(pod, "spec")
    match scope.get("scopeName"):
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "BestEffort":
            return False
        case "PriorityClass":
            return _selected(spec.get("priorityClassName"), scope)
        case _:
            return True


def _selected(value: Any, scope: Document) -> bool:
    values = scope.get("values") or []
    match scope.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "DoesNotExist":
            return not value
        case _:
            return bool(value)
