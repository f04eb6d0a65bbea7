"""One of our resources as the API server last told it: read, and compared with before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman_operator.api.kinds import AnyResource
from pointsman_operator.api.meta import DEFAULT_NAMESPACE, ObjectRef
from pointsman_operator.api.parse import parse_document
from pointsman_operator.api.problems import Problem

_READ = ("apiVersion", "kind", "metadata", "spec")


@dataclass(frozen=True)
class Held:
    """One of our resources as the API server last told it."""

    resource: AnyResource | None
    """None: the models refuse it (a CRD of another version let it through)."""
    problems: tuple[Problem, ...]
    status: Mapping[str, Any]
    uid: str
    generation: int
    version: str
    """Its resourceVersion."""


def read_held(document: Mapping[str, Any], known: Held | None) -> Held | None:
    """What a document says that is news; None: it is none.

    The resource is the same object as before where nothing that we read of it has changed.
    """
    metadata = document["metadata"]
    version = str(metadata.get("resourceVersion", ""))
    same = known is not None and known.uid == metadata.get("uid")
    if known is not None and same and not newer(version, known.version):
        return None
    resource, problems = _read(document, known)
    return Held(
        resource=resource,
        problems=problems,
        status=document.get("status") or {},
        uid=str(metadata.get("uid", "")),
        generation=int(metadata.get("generation", 0)),
        version=version,
    )


def ref_of(document: Mapping[str, Any]) -> ObjectRef:
    """Which object a document is."""
    metadata = document["metadata"]
    namespace = str(metadata.get("namespace") or DEFAULT_NAMESPACE)
    return ObjectRef(str(document["kind"]), namespace, str(metadata["name"]))


def newer(version: str, than: str) -> bool:
    """Whether a version follows another: opaque but for being decimal, where they compare."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


def _read(
    document: Mapping[str, Any], known: Held | None
) -> tuple[AnyResource | None, tuple[Problem, ...]]:
    parsed = parse_document({key: document[key] for key in _READ if key in document})
    if parsed is None:
        raise ValueError(f"not one of ours: {document.get('apiVersion')}")
    before = known.resource if known else None
    if before and parsed.resource and _meaning(before) == _meaning(parsed.resource):
        return before, ()
    return parsed.resource, parsed.problems


def _meaning(resource: AnyResource) -> tuple[Any, ...]:
    """All that compiling and its conditions read."""
    held = resource.metadata
    return resource.spec, held.generation, held.creation_timestamp
