"""I1 and I2 over random worlds: order never matters, and the bad never touch the good."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.api import AnyResource, ModelPool, ObjectName, ObjectRef
from pointsman_operator.compile import (
    Compiled,
    Snapshot,
    compile,  # noqa: A004 - the compiler's name
    compile_policy,
    statuses,
)
from support import resources as make

NAMESPACES = ("demo", "shared")
POOLS = ("main", "spare")
MODELS = ("a", "b", "c")

names = st.sampled_from


def _models(draw: st.DrawFn) -> list[dict[str, Any]]:
    chosen = draw(st.lists(names(MODELS), min_size=1, max_size=3, unique=True))
    makers = {
        "good": make.hosted,
        "own": make.self_hosted,
        "unpriced": lambda name: make.hosted(name, provider={"type": "OpenAI", "model": "none"}),
    }
    return [makers[draw(names(sorted(makers)))](name) for name in chosen]


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    """A pool, some of whose models cannot be used."""
    return make.pool(
        *_models(draw),
        name=draw(names(POOLS)),
        namespace=draw(names(NAMESPACES)),
        allowedNamespaces={"from": draw(names(("Same", "All")))},
    )


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """A policy that may refer to what does not exist."""
    references = draw(st.lists(names(POOLS), min_size=1, max_size=2, unique=True))
    candidates = st.builds(lambda p, m: f"{p}/{m}", names(POOLS), names(MODELS))
    rules = [
        make.rule(f"r{index}", *draw(st.lists(candidates, min_size=1, max_size=3, unique=True)))
        for index in range(draw(st.integers(0, 3)))
    ]
    return make.policy(
        *rules,
        name=draw(names(("p", "q"))),
        namespace=draw(names(NAMESPACES)),
        pools=[{"name": name, "namespace": draw(names(NAMESPACES))} for name in references],
        priority=draw(st.integers(0, 1)),
        default={"action": draw(names(("Deny", "PassThrough")))},
    )


@st.composite
def budgets(draw: st.DrawFn) -> dict[str, Any]:
    """A Budget that may reach too far."""
    return make.budget(
        name=draw(names(("x", "y"))),
        namespace=draw(names(NAMESPACES)),
        subject={"namespaces": draw(st.lists(names(NAMESPACES), unique=True))},
    )


@st.composite
def worlds(draw: st.DrawFn) -> list[AnyResource]:
    """Objects of distinct names."""
    documents = draw(st.lists(st.one_of(pools(), policies(), budgets()), max_size=8))
    found = {item.ref: item for item in map(make.parsed, documents)}
    return list(found.values())


@given(worlds(), st.randoms(use_true_random=False))
def test_i1_order_of_objects_never_changes_a_byte(
    world: list[AnyResource], shuffle: random.Random
) -> None:
    """Same objects in any order: equal tables, problems and statuses."""
    first = _everything(world)
    shuffle.shuffle(world)
    assert _everything(world) == first


@given(worlds())
def test_i1_one_policy_compiles_alone_as_it_does_among_all(world: list[AnyResource]) -> None:
    """`compile_policy` looks at its slice only, and finds what `compile` finds."""
    snapshot = Snapshot.of(world)
    compiled = compile(snapshot)
    for name, table in compiled.tables.items():
        assert compile_policy(snapshot, name) == table


@given(worlds(), st.integers(0, 7))
def test_i1_an_edit_changes_only_its_dependents(world: list[AnyResource], index: int) -> None:
    """An object that goes changes no table beyond those that the dependency index names."""
    if not world:
        return
    gone = world[index % len(world)]
    rest = [item for item in world if item is not gone]
    before, after = Snapshot.of(world), Snapshot.of(rest)
    named = before.dependents(gone.ref) | after.dependents(gone.ref)
    tables = _tables(compile(after))
    for name, data in _tables(compile(before)).items():
        if name not in named:
            assert tables[name] == data


@given(worlds())
def test_i2_every_policy_has_a_table(world: list[AnyResource]) -> None:
    """Whatever is wrong, a table exists, and what is wrong is said."""
    snapshot = Snapshot.of(world)
    compiled = compile(snapshot)
    assert compiled.tables.keys() == snapshot.policies.keys()
    told = statuses(snapshot, compiled)
    assert told.keys() == {item.ref for item in world}
    wrong = {problem.ref for problem in compiled.problems if problem.severity == "error"}
    for ref, status in told.items():
        (ready,) = [c for c in status["conditions"] if c["type"] == "Ready"]
        assert (ready["status"] == "False") == (ref in wrong)


@given(worlds(), st.tuples(pools(), policies(), budgets()))
def test_i2_strangers_never_change_what_a_policy_compiles_to(
    world: list[AnyResource], strangers: tuple[dict[str, Any], ...]
) -> None:
    """Objects of another namespace, good or bad, leave every table byte-equal."""
    before = _tables(compile(Snapshot.of(world)))
    foreign = [
        make.parsed({**document, "metadata": {"name": "stranger", "namespace": "elsewhere"}})
        for document in strangers
    ]
    after = _tables(compile(Snapshot.of([*world, *foreign])))
    assert {name: after[name] for name in before} == before


@given(worlds(), names(("unheard", "unsized")))
def test_i2_a_bad_model_leaves_its_neighbours_alone(world: list[AnyResource], kind: str) -> None:
    """A model that cannot be used changes no other model of its pool, in any table."""
    bad = {"name": kind, "provider": {"type": "OpenAI", "model": kind}}
    spoiled = [
        make.parsed(_with_model(item, bad)) if isinstance(item, ModelPool) else item
        for item in world
    ]
    before, after = compile(Snapshot.of(world)), compile(Snapshot.of(spoiled))
    for name, table in before.tables.items():
        assert after.tables[name].table.models == table.table.models
        assert after.tables[name].table.rules == table.table.rules


def _with_model(item: ModelPool, model: dict[str, Any]) -> dict[str, Any]:
    document = item.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
    document["spec"]["models"].append(model)
    return document


def _tables(compiled: Compiled) -> dict[ObjectName, bytes]:
    return {name: table.data for name, table in compiled.tables.items()}


def _everything(
    world: list[AnyResource],
) -> tuple[dict[ObjectName, bytes], list[dict[str, object]], dict[ObjectRef, dict[str, Any]]]:
    snapshot = Snapshot.of(world)
    compiled = compile(snapshot)
    told = [problem.as_dict() for problem in compiled.problems]
    return _tables(compiled), told, statuses(snapshot, compiled)
