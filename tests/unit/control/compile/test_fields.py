"""I10: no field of a resource is accepted and ignored."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from pointsman_operator.api import KINDS
from pointsman_operator.compile import (
    Snapshot,
    compile,  # noqa: A004 - the compiler's name
    serving_policy,
    statuses,
)
from pointsman_operator.compile.endpoints import pool_endpoints
from pointsman_operator.generate.schema import structural
from support import resources as make
from support.documents import ENTRY, FULL, KEYED

OTHERS = (
    *("changed", "1.5", "90s", "main/local", "main/changed", "https://changed.example/v1"),
    *("Weighted", "vLLM", "Notify", "SpendLease", "Enforce", "Same", "summary", "vision"),
    *("Europe/Paris", "Week", "Deny", "OpenAICompatible", "shared", "SGLang", "Groq", "Drop"),
    *("High", "Normal", "Minute", "Done"),
    "2025-01-01",
)
"""Between them, a valid other value for every string."""

COUPLED = {
    "ModelPool.models.capabilities",
    "ModelPool.allowedNamespaces.from",
    "ModelPool.models.provider.type",
    "ModelPool.models.provider.credential.workloadIdentity",
    "ModelPool.models.selfHosted.cost.amortise",
    "RoutingPolicy.default.action",
    "RoutingPolicy.default.route.strategy",
    "RoutingPolicy.rules.route.strategy",
    "RoutingPolicy.signals.detector",
    "RoutingPolicy.signals.name",
    "Budget.thresholds.action",
}
"""Fields that cannot change alone: another value is refused, or contradicts a field beside it."""


ONE_VALUED = {"RoutingPolicy.rules.route.quality.relativeTo"}
"""A field with one possible value says what the field beside it means."""

ELSEWHERE = {
    *(
        f"ModelPool.models.quality.byTask.{task}"
        for task in ("math", "extraction", "translation", "summary", "chat", "other")
    ),
    *(
        f"RoutingPolicy.default.route.{member}"
        for member in (
            *("quality", "retries", "timeouts", "candidates.weight", "overflow", "holdBack"),
            *("priority", "untranslatable"),
        )
    ),
}
"""The same type stands elsewhere in the full documents with all its members."""


def _leaves(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    empty = True
    for step, member in steps:
        empty = False
        yield from _leaves(member, (*here, step))
    if empty:
        yield here


def _effect(documents: list[dict[str, Any]]) -> tuple[Any, ...] | None:
    """All that can be observed of a world; None where it is refused."""
    try:
        objects = [make.parsed(document) for document in documents]
    except AssertionError:
        return None
    snapshot = Snapshot.of(objects)
    compiled = compile(snapshot)
    return (
        [table.data for table in compiled.tables.values()],
        [problem.as_dict() for problem in compiled.problems],
        list(statuses(snapshot, compiled).values()),
        [pool_endpoints(pool) for pool in snapshot.pools.values()],
        [serving_policy(snapshot, "demo", {"app": app}) for app in ("support", "changed")],
        [policy.spec.target.gateway for policy in snapshot.policies.values()],
    )


def _rival() -> dict[str, Any]:
    """A policy for the same workloads, so that priority and target decide something."""
    target = {"selector": {"matchLabels": {"app": "support"}}}
    return make.policy(name="rival", target=target, priority=100)


def _guest() -> dict[str, Any]:
    """A policy of the namespace that the pool lets in."""
    pools = [{"name": "main", "namespace": "demo"}]
    return make.policy(make.rule("all"), name="guest", namespace="other", pools=pools)


def _changed(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(value - 1, 0), 0]
    return list(OTHERS)


DOCUMENTS = (*FULL, ENTRY, KEYED)


@pytest.mark.parametrize("index", range(len(DOCUMENTS)), ids=lambda it: DOCUMENTS[it]["kind"])
def test_i10_every_leaf_of_a_full_document_acts(index: int) -> None:
    """Each value, changed or removed, changes the table, the problems, the status or who serves."""
    world = [*deepcopy(list(DOCUMENTS)), _rival(), _guest()]
    before = _effect(world)
    assert before is not None
    silent: set[str] = set()
    refused: set[str] = set()
    for path in _leaves(DOCUMENTS[index]["spec"]):
        name = _name(index, path)
        effects = (_effect(spoiled) for spoiled in _variants(world, index, path))
        accepted = False
        for effect in effects:
            accepted = accepted or effect is not None
            if effect not in (None, before):
                break
        else:
            (silent if accepted else refused).add(name)
    assert silent == set()
    assert refused - COUPLED == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_full_documents_leave_no_field_out(kind: Any) -> None:
    """The test above sees every field of the schema, so a new field needs an effect."""
    seen = {
        _name(index, path[:end])
        for index, document in enumerate(DOCUMENTS)
        if document["kind"] == kind.name
        for path in _leaves(document["spec"])
        for end in range(1, len(path) + 1)
    }
    fields = set(_fields(structural(kind.spec), kind.name))
    assert fields - seen - ELSEWHERE - ONE_VALUED == set()


def _fields(schema: dict[str, Any], here: str) -> Iterator[str]:
    inner = schema.get("items", schema)
    for name, member in inner.get("properties", {}).items():
        path = f"{here}.{name}"
        if any(path == other or path.startswith(f"{other}.") for other in ELSEWHERE):
            continue
        yield path
        yield from _fields(member, path)


def _variants(
    world: list[dict[str, Any]], index: int, path: tuple[str | int, ...]
) -> Iterator[list[dict[str, Any]]]:
    value: Any = world[index]["spec"]
    for step in path:
        value = value[step]
    for new in (*_changed(value), None):
        if new == value:
            continue
        copy = deepcopy(world)
        holder: Any = copy[index]["spec"]
        for step in path[:-1]:
            holder = holder[step]
        if new is None:
            del holder[path[-1]]
        else:
            holder[path[-1]] = new
        yield copy


def _name(index: int, path: tuple[str | int, ...]) -> str:
    kind = DOCUMENTS[index]["kind"]
    return ".".join([kind, *(step for step in path if isinstance(step, str))])
