"""Problems as data (I2): a closed code, the object, the field, what is wrong, what to do.

The loader makes those of reading, `compile` those of meaning; both end up in conditions and in
`validate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, Self

from pointsman_operator.api.meta import ObjectRef

Severity = Literal["error", "warning"]


class ProblemCode(StrEnum):
    """What can be wrong. Values are the reasons of conditions: stable, for machines."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A code is its value; the meaning goes into the reference."""
        code = str.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    UNREADABLE = "Unreadable", "A file cannot be read or is no YAML."
    DUPLICATE_KEY = "DuplicateKey", "A YAML mapping has a key twice."
    UNKNOWN_KIND = "UnknownKind", "No resource of ours has this kind or version."
    UNKNOWN_FIELD = "UnknownField", "A field that does not exist."
    MISSING_FIELD = "MissingField", "A field that must be set."
    INVALID_VALUE = "InvalidValue", "A value that the field does not take."
    DUPLICATE_OBJECT = "DuplicateObject", "Two objects of one kind, namespace and name."

    POOL_NOT_FOUND = "PoolNotFound", "A policy names a ModelPool that does not exist."
    POOL_NOT_ALLOWED = (
        "PoolNotAllowed",
        "A policy names a ModelPool that does not allow its namespace.",
    )
    GATEWAY_NAMESPACE_NOT_ALLOWED = (
        "GatewayNamespaceNotAllowed",
        "A foreign ModelPool, or the policy's own target, needs a gateway where none may run.",
    )
    POOL_NOT_LISTED = "PoolNotListed", "A candidate's pool is not in `spec.pools`."
    MODEL_NOT_FOUND = "ModelNotFound", "A candidate names a model that its pool does not have."
    MODEL_REFUSED = (
        "ModelRefused",
        "A candidate names a model that cannot be used; the pool says why.",
    )
    NO_CANDIDATE = "NoCandidate", "A route is left without candidates: its requests are refused."
    UNKNOWN_PRICE = "UnknownPrice", "Neither catalogue nor pool prices a model."
    UNKNOWN_LIMIT = (
        "UnknownLimit",
        "Neither catalogue nor pool says how large a model's context is.",
    )
    UNKNOWN_QUALITY = "UnknownQuality", "A route compares quality and nobody knows a candidate's."
    HOST_NOT_WELL_KNOWN = (
        "HostNotWellKnown",
        "A key would go to a host that only the Secret itself can allow.",
    )
    NOT_OFFERED = (
        "NotOffered",
        "A model asks for what no engine does yet; the remedy says what works.",
    )
    NEEDS_CLUSTER = (
        "NeedsCluster",
        "Services and pods can only be found in a cluster; elsewhere a model needs a URL.",
    )
    ALIAS_CONFLICT = "AliasConflict", "Two models of a policy's pools share an alias."
    PASS_THROUGH_AMBIGUOUS = (
        "PassThroughAmbiguous",
        "`default: PassThrough` with several providers, or with none.",
    )
    REGION_NOT_ALLOWED = (
        "RegionNotAllowed",
        "A model computes where the pool's `constraints` or the policy's `residency` do not allow.",
    )
    LOOSER_THAN_POOL = (
        "LooserThanPool",
        "A policy would allow what a pool's `constraints` forbid; the pool's word stands.",
    )
    CONFLICTED = "Conflicted", "Another policy serves the same workloads first."
    NAMESPACE_NOT_ALLOWED = "NamespaceNotAllowed", "A Budget names namespaces beyond its own."


@dataclass(frozen=True, order=True)
class Location:
    """A place in a file; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        """`file:line`, which editors and terminals follow."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what to do about it."""

    code: ProblemCode
    ref: ObjectRef
    """The object: kind, namespace and name; empty strings where a file did not get that far."""
    path: str
    """The field, as in `spec.models[0].pricing`."""
    message: str
    """What is wrong."""
    remedy: str
    """What to do."""
    severity: Severity = "error"
    """`warning`: the object works, but perhaps not as meant."""
    location: Location | None = None
    """Where, for objects from files."""

    @property
    def sort_key(self) -> tuple[str, int, ObjectRef, str, str, str]:
        """Files in order, then objects and fields: one order however the objects came."""
        file, line = (self.location.file, self.location.line) if self.location else ("", 0)
        return (file, line, self.ref, self.path, self.code.value, self.message)

    def at(self, location: Location | None) -> Problem:
        """The same problem, with its place."""
        return replace(self, location=location)

    def as_dict(self) -> dict[str, object]:
        """For `--json` and golden files."""
        found: dict[str, object] = {
            "code": self.code.value,
            "severity": self.severity,
            "object": {
                "kind": self.ref.kind,
                "namespace": self.ref.namespace,
                "name": self.ref.name,
            },
            "path": self.path,
            "message": self.message,
            "remedy": self.remedy,
        }
        if self.location:
            found["file"] = self.location.file
            found["line"] = self.location.line
        return found
