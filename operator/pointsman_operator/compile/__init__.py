"""Snapshot -> (route tables, problems): pure, deterministic, total.

Same snapshot in any order, equal bytes (I1). A bad object never changes what a good one compiles
to, and every policy has a table (I2). Called by the controller, `pointsman up|compile|validate` and
the golden tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_operator.api.budget import Budget
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.problems import Problem, ProblemCode
from pointsman_operator.compile import problems as make
from pointsman_operator.compile.gateway import (
    entry_problem,
    gateway_pools,
    gateway_table,
    table_name,
)
from pointsman_operator.compile.lower import lower_budget, lower_signal
from pointsman_operator.compile.policy import lower_default, lower_rules, open_scope
from pointsman_operator.compile.precedence import conflicts, serving_policy
from pointsman_operator.compile.resolve import ResolvedPool, label_of, resolve_pool
from pointsman_operator.compile.snapshot import (
    Knowledge,
    Snapshot,
    bound_namespaces,
    simulate,
)
from pointsman_operator.compile.status import statuses
from pointsman_operator.compile.table import RouteTable, TableName, digest, least_reader

__all__ = [
    "Compiled",
    "CompiledTable",
    "Knowledge",
    "Problem",
    "ProblemCode",
    "RouteTable",
    "Snapshot",
    "budget_problems",
    "compile",
    "compile_gateway",
    "compile_policy",
    "digest",
    "gateway_pools",
    "label_of",
    "serving_policy",
    "simulate",
    "statuses",
]


@dataclass(frozen=True)
class CompiledTable:
    """One policy's table, and what is wrong with the policy."""

    policy: ObjectName
    table: RouteTable
    data: bytes
    """Canonical bytes: what is published."""
    digest: str
    """`sha256:` of the bytes."""
    problems: tuple[Problem, ...]
    """The policy's own; pools and Budgets have theirs in `Compiled`."""


@dataclass(frozen=True)
class Compiled:
    """All tables and all problems of a snapshot."""

    tables: Mapping[ObjectName, CompiledTable]
    pools: Mapping[ObjectName, ResolvedPool]
    problems: tuple[Problem, ...]
    """By object and field."""


def compile(snapshot: Snapshot) -> Compiled:  # noqa: A001 - the name that the design gives it
    """Every policy's table and every problem of a snapshot.

    Never raises on what the API models accept.
    """
    pools = {name: resolve_pool(pool, snapshot.knowledge) for name, pool in snapshot.pools.items()}
    tables = {name: _compile(snapshot, policy, pools) for name, policy in snapshot.policies.items()}
    found = [problem for pool in pools.values() for problem in pool.problems]
    found += [problem for table in tables.values() for problem in table.problems]
    for budget in snapshot.budgets.values():
        found += budget_problems(snapshot, budget)
    return Compiled(tables, pools, tuple(sorted(found, key=lambda problem: problem.sort_key)))


def compile_policy(snapshot: Snapshot, policy: ObjectName) -> CompiledTable:
    """One policy's table, equal to `compile`'s; looks at its own slice only.

    Raises KeyError without the policy.
    """
    chosen = snapshot.policies[policy]
    pools = {
        name: resolve_pool(snapshot.pools[name], snapshot.knowledge)
        for name in chosen.pool_names
        if name in snapshot.pools
    }
    return _compile(snapshot, chosen, pools)


def compile_gateway(snapshot: Snapshot, pool: ObjectName) -> CompiledTable:
    """The table of a pool's gateway; raises KeyError without the pool."""
    chosen = snapshot.pools[pool]
    table = gateway_table(snapshot, chosen, resolve_pool(chosen, snapshot.knowledge))
    data = table.canonical()
    return CompiledTable(table_name(pool), table, data, digest(data), ())


def _compile(
    snapshot: Snapshot, policy: RoutingPolicy, pools: Mapping[ObjectName, ResolvedPool]
) -> CompiledTable:
    scope = open_scope(policy, snapshot.pools, pools, snapshot.knowledge.gateways)
    namespace = policy.metadata.namespace
    models = tuple(scope.models[name] for name in sorted(scope.models))
    rules, default = lower_rules(scope), lower_default(scope)
    routes = [rule.route for rule in rules] + ([default.route] if default.route else [])
    table = RouteTable(
        min_reader=least_reader(models, routes),
        policy=TableName(namespace=namespace, name=policy.metadata.name),
        catalogue=snapshot.knowledge.catalogue.digest,
        models=models,
        signals=tuple(
            lower_signal(signal)
            for signal in sorted(policy.spec.signals, key=lambda signal: signal.name)
        ),
        rules=rules,
        default=default,
        budgets=tuple(
            lower_budget(budget, bound_namespaces(snapshot, budget))
            for budget in snapshot.budgets_by_namespace.get(namespace, ())
        ),
    )
    data = table.canonical()
    entry = entry_problem(policy, snapshot.knowledge.gateways)
    found = (*scope.problems, *conflicts(snapshot, policy), *((entry,) if entry else ()))
    ordered = tuple(sorted(found, key=lambda problem: problem.sort_key))
    return CompiledTable(policy.object_name, table, data, digest(data), ordered)


def budget_problems(snapshot: Snapshot, budget: Budget) -> list[Problem]:
    """What is wrong with a Budget, beyond what its model refuses."""
    foreign = set(budget.spec.subject.namespaces) - bound_namespaces(snapshot, budget)
    return [make.namespace_not_allowed(budget.ref, sorted(foreign))] if foreign else []
