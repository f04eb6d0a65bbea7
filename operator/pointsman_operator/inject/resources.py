"""The sidecar's size: defaults and wishes, fitted to the pod's class and the namespace's bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pointsman_operator.inject import limits, usage
from pointsman_operator.inject.bounds import Bounds, Cap, bounds_of, tells_classes_apart
from pointsman_operator.inject.facts import Document, Namespace
from pointsman_operator.inject.options import Options
from pointsman_operator.inject.reasons import Reason


class NoRoomError(Exception):
    """No size satisfies the namespace."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class _Wish:
    """One resource as we would have it."""

    resource: str
    request: int
    limit: int | None
    floor: int
    """Least limit that works."""
    request_floor: int
    roomy: int
    """The limit where one is needed and none is wished for."""


_DISK = _Wish(
    "ephemeral-storage",
    limits.DISK_REQUEST_BYTES,
    limits.DISK_LIMIT_BYTES,
    limits.DISK_REQUEST_BYTES,
    1,
    limits.DISK_LIMIT_BYTES,
)
"""Said only where the namespace counts it: the sidecar writes nothing but its log."""


def size(
    pod: Document, options: Options, namespace: Namespace
) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """The container's `resources` and warnings about wishes not met; raises NoRoomError."""
    if usage.has_pod_level(pod):
        # Containers share what the pod as a whole has; numbers of ours could only exceed it.
        return {}, _left_out(options, "the pod's own resources are shared by its containers")
    quality = usage.class_of(pod)
    if quality is usage.Class.BEST_EFFORT and tells_classes_apart(namespace):
        return {}, _left_out(options, "a ResourceQuota counts BestEffort pods apart")
    guaranteed = quality is usage.Class.GUARANTEED
    found: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    warnings = []
    wishes = (_cpu(options, guaranteed=guaranteed), _memory(options, guaranteed=guaranteed), _DISK)
    for wish in wishes:
        within = bounds_of(namespace, pod, wish.resource)
        if wish is _DISK and within == Bounds():
            continue
        request, limit = _fit(wish, within, guaranteed=guaranteed)
        found["requests"][wish.resource] = usage.show(wish.resource, request)
        if limit is not None:
            found["limits"][wish.resource] = usage.show(wish.resource, limit)
        warnings += _changed(options, wish.resource, request, limit)
    return found, tuple(warnings)


def _cpu(options: Options, *, guaranteed: bool) -> _Wish:
    request = options.cpu_request or limits.CPU_REQUEST_MILLI
    limit = options.cpu_limit
    if guaranteed:
        request = limit = limit or options.cpu_request or limits.CPU_GUARANTEED_MILLI
    roomy = max(limits.CPU_ROOMY_MILLI, request)
    return _Wish("cpu", request, limit, limits.CPU_FLOOR_MILLI, 1, roomy)


def _memory(options: Options, *, guaranteed: bool) -> _Wish:
    limit = options.memory_limit or max(limits.MEMORY_LIMIT_BYTES, options.memory_request or 0)
    request = min(options.memory_request or limits.MEMORY_REQUEST_BYTES, limit)
    if guaranteed:
        request = limit
    floor = limits.MEMORY_FLOOR_BYTES
    return _Wish("memory", request, limit, floor, floor // 2, limit)


def _fit(wish: _Wish, within: Bounds, *, guaranteed: bool) -> tuple[int, int | None]:
    """Request and limit nearest to the wish; raises NoRoomError."""
    request_cap = _smallest(within.request_caps)
    limit_cap = _smallest(within.limit_caps)
    _check(wish.request_floor, within, request_cap)
    _check(wish.floor, within, limit_cap)
    limit = wish.limit
    if limit is None and within.limit_needed:
        limit = max(wish.roomy, within.default or 0)
    request = _between(within.least, wish.request, request_cap)
    if limit is None:
        return request, None
    limit = _between(within.least, limit, limit_cap)
    if guaranteed:
        both = min(limit, _between(within.least, limit, request_cap))
        if both < wish.floor:
            raise _no_room(wish, request_cap)
        return both, both
    request = min(request, limit)
    return _hold_ratio(wish, within, request_cap, request, limit)


def _hold_ratio(
    wish: _Wish, within: Bounds, request_cap: Cap | None, request: int, limit: int
) -> tuple[int, int]:
    """Raise the request as far as it may go, then lower the limit."""
    if within.ratio is None or limit <= request * within.ratio:
        return request, limit
    if wish.resource == "cpu":
        # Requested CPU is paid for all day, a throttled burst now and then.
        enough = min(limit, limits.CPU_GUARANTEED_MILLI)
        limit = max(enough, math.floor(request * within.ratio))
    request = _between(request, math.ceil(limit / within.ratio), request_cap)
    limit = min(limit, math.floor(request * within.ratio))
    if limit < max(wish.floor, within.least):
        raise NoRoomError(
            Reason.LIMIT_RANGE,
            f"the namespace's maxLimitRequestRatio {float(within.ratio):g} leaves the sidecar "
            f"{usage.show(wish.resource, limit)} {wish.resource}, it needs "
            f"{usage.show(wish.resource, wish.floor)}",
        )
    return request, limit


def _check(floor: int, within: Bounds, cap: Cap | None) -> None:
    if cap is not None and cap.value < max(floor, within.least):
        raise NoRoomError(cap.reason, f"{cap.says}: not enough for the sidecar")


def _no_room(wish: _Wish, cap: Cap | None) -> NoRoomError:
    reason = cap.reason if cap else Reason.LIMIT_RANGE
    return NoRoomError(reason, f"{cap.says if cap else wish.resource}: not enough for the sidecar")


def _smallest(caps: tuple[Cap, ...]) -> Cap | None:
    return min(caps, key=lambda cap: cap.value, default=None)


def _between(least: int, value: int, cap: Cap | None) -> int:
    value = max(least, value)
    return value if cap is None else min(value, cap.value)


def _changed(options: Options, resource: str, request: int, limit: int | None) -> list[str]:
    """A wish that the namespace or the other wish did not allow is said, not silently bent."""
    if resource == _DISK.resource:
        return []
    wished = {
        f"{resource}-request": (getattr(options, f"{resource}_request"), request),
        f"{resource}-limit": (getattr(options, f"{resource}_limit"), limit),
    }
    return [
        f"annotation pointsman.dev/{name}: {usage.show(resource, asked)} does not fit, "
        f"{usage.show(resource, got)} is used"
        for name, (asked, got) in wished.items()
        if asked is not None and got is not None and asked != got
    ]


def _left_out(options: Options, why: str) -> tuple[str, ...]:
    """Sizes that were asked for where none may be said."""
    asked = [
        f"{resource}-{kind}"
        for resource in usage.RESOURCES
        for kind in ("request", "limit")
        if getattr(options, f"{resource}_{kind}") is not None
    ]
    said = ", ".join(f"pointsman.dev/{name}" for name in asked)
    return (f"annotation {said} has no effect: {why}",) if asked else ()
