"""Which pods a table serves: labels, and an order among several (docs/contracts-kubernetes.md 3).

The sidecar applies the same rule to its ConfigMap; `tests/golden/serving/` pins both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointsman_operator.hub import limits
from pointsman_operator.hub.errors import HubError

Labels = Mapping[str, str]


class Target(BaseModel):
    """Whom a table serves: pods with all these labels; the smallest order wins."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    labels: Annotated[dict[str, str], Field(max_length=limits.LABELS_MAX)] = {}
    order: tuple[int, str, str]
    """Negative priority, time of creation, name."""
    gateway: Annotated[str, Field(max_length=limits.LABEL_CHARACTERS_MAX)] = ""
    """`pool/NAME` or `policy/NAME`: it serves the pods of that gateway, and no others."""

    def serves(self, labels: Labels) -> bool:
        """Whether a pod with these labels is meant."""
        return not self.gateway and self.labels.items() <= labels.items()


@dataclass(frozen=True, slots=True)
class Served:
    """What the rule needs to know of a sidecar."""

    namespace: str
    workload: str
    labels: Labels | None
    """None: a sidecar outside a cluster, served by its workload's name."""
    gateway: str = ""
    """`pool/NAME` or `policy/NAME`; empty: it is no gateway."""


def parse_target(header: str) -> Target | None:
    """The header `x-pointsman-target`; empty: none. Raises `HubError`."""
    if not header:
        return None
    if len(header) > limits.TARGET_BYTES_MAX:
        raise HubError(400, "bad_target", f"a target holds at most {limits.TARGET_BYTES_MAX} bytes")
    try:
        return Target.model_validate_json(header)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "x-pointsman-target"
        raise HubError(400, "bad_target", f"{where}: {first['msg']}") from error


def parse_labels(text: str) -> Labels | None:
    """A pod's labels as JSON; empty: none given. Raises `HubError`."""
    if not text:
        return None
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise HubError(400, "bad_labels", f"labels: not JSON: {error}") from error
    if (
        not isinstance(found, dict)
        or len(found) > limits.LABELS_MAX
        or not all(isinstance(value, str) for value in found.values())
    ):
        raise HubError(400, "bad_labels", "labels: an object of strings, as the pod has them")
    return found


class Targeted(Protocol):
    """Something that serves pods, or that only files serve (no target)."""

    @property
    def target(self) -> Target | None:
        """Whom it serves."""
        ...


T = TypeVar("T", bound=Targeted)


def of_gateway(items: Iterable[T], gateway: str) -> T | None:
    """The one that a gateway serves."""
    found = (it for it in items if it.target is not None and it.target.gateway == gateway)
    return next(found, None)


def first_serving(items: Iterable[T], labels: Labels) -> T | None:
    """The one that serves a pod with these labels."""
    chosen = [
        (item.target.order, item)
        for item in items
        if item.target is not None and item.target.serves(labels)
    ]
    return min(chosen, key=lambda pair: pair[0])[1] if chosen else None
