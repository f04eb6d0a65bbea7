"""A pod's `pointsman.dev/*` annotations, read: what is wrong is warned of and left out.

A bad setting never breaks a pod, so that a typing error costs a warning and not an outage.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pointsman_operator.api.meta import GROUP
from pointsman_operator.inject import limits, names, quantity
from pointsman_operator.inject.facts import Document
from pointsman_operator.inject.objects import containers, metadata

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ENV_MODES = ("true", "false", "force")


@dataclass(frozen=True)
class Options:
    """What the pod's author asks for; None: not said."""

    containers: frozenset[str] | None = None
    cpu_request: int | None = None
    """Millicores."""
    memory_request: int | None = None
    """Bytes."""
    cpu_limit: int | None = None
    memory_limit: int | None = None
    log_level: str | None = None
    environment: str = "true"
    """`true`, `false` (none), `force` (also where `envFrom` may hide a value)."""
    workload: str | None = None


def read_options(pod: Document) -> tuple[Options, tuple[str, ...]]:
    """The options and a warning for each annotation that is not understood."""
    annotations = metadata(pod, "annotations")
    warnings: list[str] = []
    values: dict[str, Any] = {}
    for key, (field, read) in _READERS.items():
        if key not in annotations:
            continue
        try:
            values[field] = read(str(annotations[key]))
        except ValueError as error:
            warnings.append(f"annotation {key}: {error}; the default is used")
    warnings += unknown_keys(annotations)
    options = Options(**values)
    there = {str(container.get("name")) for container in containers(pod)}
    for absent in sorted((options.containers or frozenset()) - there):
        warnings.append(f"annotation {names.CONTAINERS}: the pod has no container {absent!r}")
    return options, tuple(warnings)


def unknown_keys(annotations: Document) -> list[str]:
    """Keys in our group that mean nothing: most often a typing error."""
    known = names.SETTINGS | names.MARKS | {names.INJECT}
    ours = sorted(key for key in annotations if str(key).startswith(f"{GROUP}/"))
    return [f"annotation {key} is not known to Pointsman" for key in ours if key not in known]


def _cpu(text: str) -> int:
    return _positive(quantity.milli(text), text)


def _memory(text: str) -> int:
    value = _positive(quantity.whole(text), text)
    if value < limits.MEMORY_FLOOR_BYTES:
        least = quantity.show_bytes(limits.MEMORY_FLOOR_BYTES)
        raise ValueError(f"{text} is less than the {least} that a sidecar needs")
    return value


def _memory_request(text: str) -> int:
    return _positive(quantity.whole(text), text)


def _positive(value: int, text: str) -> int:
    if value <= 0:
        raise ValueError(f"{text} is not more than zero")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        for choice in choices:
            if choice.lower() == text.lower():
                return choice
        raise ValueError(f"{text!r} is not one of {', '.join(choices)}")

    return read


def _list(text: str) -> frozenset[str]:
    found = frozenset(part.strip() for part in text.split(",")) - {""}
    if not found:
        raise ValueError("it lists no container")
    return found


def _workload(text: str) -> str:
    long = len(text) > limits.WORKLOAD_CHARACTERS_MAX
    if long or not re.fullmatch(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?", text):
        raise ValueError(f"{text!r} is not a name (lower case letters, digits, '-' and '.')")
    return text


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    names.CONTAINERS: ("containers", _list),
    names.CPU_REQUEST: ("cpu_request", _cpu),
    names.MEMORY_REQUEST: ("memory_request", _memory_request),
    names.CPU_LIMIT: ("cpu_limit", _cpu),
    names.MEMORY_LIMIT: ("memory_limit", _memory),
    names.LOG_LEVEL: ("log_level", _one_of(*LOG_LEVELS)),
    names.ENV_INJECTION: ("environment", _one_of(*ENV_MODES)),
    names.WORKLOAD: ("workload", _workload),
}
