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
from pointsman_operator.compile.gateway import gateway_table
from pointsman_operator.compile.resolve import resolve_pool
from support import resources as make

NAMESPACES = ("demo", "shared")
POOLS = ("main", "spare")
MODELS = ("a", "b", "c")
REGIONS = ("eu", "us")

names = st.sampled_from


def _models(draw: st.DrawFn) -> list[dict[str, Any]]:
    chosen = draw(st.lists(names(MODELS), min_size=1, max_size=3, unique=True))
    makers = {
        "good": make.hosted,
        "own": make.self_hosted,
        "unpriced": lambda name: make.hosted(name, provider={"type": "OpenAI", "model": "none"}),
    }
    made = [makers[draw(names(sorted(makers)))](name) for name in chosen]
    for model in made:
        region = draw(names((None, *REGIONS)))
        if region is not None:
            model["provider" if "provider" in model else "selfHosted"]["region"] = region
    return made


def _regions(draw: st.DrawFn) -> dict[str, Any]:
    allowed = draw(st.lists(names(REGIONS), max_size=2, unique=True))
    return {"allowedRegions": allowed} if allowed else {}


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    """A pool, some of whose models cannot be used."""
    return make.pool(
        *_models(draw),
        name=draw(names(POOLS)),
        namespace=draw(names(NAMESPACES)),
        allowedNamespaces={"from": draw(names(("Same", "All")))},
        constraints=_regions(draw),
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
    regions = _regions(draw)
    return make.policy(
        *rules,
        **({"residency": regions} if regions else {}),
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
def test_no_table_holds_a_model_outside_its_regions(world: list[AnyResource]) -> None:
    """Neither a policy's nor a gateway's, whatever a rule, an alias or a default asks for."""
    snapshot = Snapshot.of(world)
    made = {name: compiled.table for name, compiled in compile(snapshot).tables.items()}
    tables = [(table, snapshot.policies[name].spec.residency) for name, table in made.items()]
    for pool in snapshot.pools.values():
        resolved = resolve_pool(pool, snapshot.knowledge)
        tables.append((gateway_table(snapshot, pool, resolved), None))
    for table, residency in tables:
        for model in table.models:
            spec = snapshot.pools[ObjectName(model.pool.namespace, model.pool.name)].spec
            own = next(it for it in spec.models if model.name.endswith(f"/{it.name}"))
            floors = (spec.constraints.allowed_regions, residency and residency.allowed_regions)
            bounds = [floor for floor in floors if floor is not None]
            assert all(own.region in floor for floor in bounds)
            assert (model.allowed_regions is not None) == bool(bounds)
            assert model.allowed_regions is None or model.region in model.allowed_regions
        bound = any(model.allowed_regions for model in table.models)
        assert not (bound and table.default.action == "PassThrough")


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
