"""One policy's part of the table: its pools' models, its routes with references resolved."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.api.policy import DefaultAction, RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.api.problems import Problem
from pointsman_operator.api.route import Route
from pointsman_operator.compile import gateway, lower, problems, residency
from pointsman_operator.compile.resolve import ResolvedPool
from pointsman_operator.compile.solve import solve_lambda0
from pointsman_operator.compile.table import (
    TableAim,
    TableCandidate,
    TableDefault,
    TableModel,
    TableRoute,
    TableRule,
)


@dataclass(frozen=True)
class OpenPool:
    """A pool that a policy names and may use."""

    pool: ModelPool
    resolved: ResolvedPool
    abroad: frozenset[str]
    """Models that the policy's residency leaves out."""

    @property
    def models(self) -> list[TableModel]:
        """Those that the policy may use."""
        usable = self.resolved.models
        return [usable[name] for name in sorted(usable) if name not in self.abroad]


@dataclass
class PolicyScope:
    """What a policy can refer to, and what is wrong with how it does."""

    policy: RoutingPolicy
    pools: dict[str, OpenPool]
    """By the name that candidates use."""
    closed: set[str]
    """Pools that are named but missing or not allowed: said once, not again for each candidate."""
    models: dict[str, TableModel]
    """By `pool/model`."""
    problems: list[Problem] = field(default_factory=list)


def open_scope(
    policy: RoutingPolicy,
    pools: Mapping[ObjectName, ModelPool],
    resolved: Mapping[ObjectName, ResolvedPool],
    gateways: frozenset[str] | None,
) -> PolicyScope:
    """The pools that a policy names, as far as they exist and allow it."""
    scope = PolicyScope(policy, {}, set(), {})
    namespace = policy.metadata.namespace
    for index, reference in enumerate(policy.spec.pools):
        name = ObjectName(reference.namespace or namespace, reference.name)
        path = f"spec.pools[{index}]"
        pool = pools.get(name)
        if pool is None:
            scope.problems.append(problems.pool_not_found(policy.ref, path, name))
        elif not allows(pool, namespace):
            scope.problems.append(problems.pool_not_allowed(policy.ref, path, name))
        elif (problem := gateway.problem_of(policy, path, pool, gateways)) is not None:
            scope.problems.append(problem)
        else:
            elsewhere = (it for it in pool.spec.models if residency.lives_elsewhere(policy, it))
            abroad = frozenset(model.name for model in elsewhere)
            usable = gateway.seen_from(policy, pool, resolved[name], gateways)
            scope.pools[name.name] = OpenPool(pool, usable, abroad)
            continue
        scope.closed.add(name.name)
    models = [
        residency.with_regions(model, opened.pool, policy)
        for opened in scope.pools.values()
        for model in opened.models
    ]
    scope.problems += residency.looser(policy, (pool.pool for pool in scope.pools.values()))
    scope.models = _without_shared_aliases(scope, models)
    return scope


def allows(pool: ModelPool, namespace: str) -> bool:
    """Whether policies of a namespace may use a pool."""
    return namespace == pool.metadata.namespace or pool.spec.allowed_namespaces.admits(namespace)


def lower_rules(scope: PolicyScope) -> tuple[TableRule, ...]:
    """The rules in their order; one whose candidates are all gone stays, and refuses.

    Were it dropped, its requests would fall through to rules that were not meant for them.
    """
    return tuple(
        TableRule(
            name=rule.name,
            when=lower.lower_when(rule.when),
            route=lower_route(scope, rule.route, f"spec.rules[{index}].route"),
        )
        for index, rule in enumerate(scope.policy.spec.rules)
    )


def lower_default(scope: PolicyScope) -> TableDefault:
    """What happens where nothing applies."""
    default: DefaultAction = scope.policy.spec.default
    if default.route is not None:
        route = lower_route(scope, default.route, "spec.default.route")
        return TableDefault(action="Route", route=route)
    if default.action == "PassThrough":
        pools = (opened.pool for opened in scope.pools.values())
        problem = residency.pass_through_problem(scope.policy, pools)
        problem = problem or gateway.pass_through_problem(scope.policy, scope.models.values())
        problem = problem or _pass_through_deployment(scope)
        if problem is not None:
            scope.problems.append(problem)
            return TableDefault(action="Deny")
        providers = {
            f"{model.provider.label} ({model.provider.base_url})" for model in scope.models.values()
        }
        if len(providers) != 1:
            scope.problems.append(
                problems.pass_through_ambiguous(scope.policy.ref, sorted(providers))
            )
            return TableDefault(action="Deny")
    return TableDefault(action=default.action)


def lower_route(scope: PolicyScope, route: Route, path: str) -> TableRoute:
    """A route with the candidates that exist and can be used."""
    candidates: list[TableCandidate] = []
    for index, candidate in enumerate(route.candidates):
        if candidate.model.split("/", 1)[0] in scope.closed:
            continue  # the pool's own problem has said why
        problem = _candidate_problem(
            scope, route, candidate.model, f"{path}.candidates[{index}].model"
        )
        if problem is None:
            candidates.append(lower.lower_candidate(candidate))
        else:
            scope.problems.append(problem)
    if not candidates:
        scope.problems.append(problems.no_candidate(scope.policy.ref, f"{path}.candidates"))
    return TableRoute(
        strategy=route.strategy,
        candidates=tuple(candidates),
        quality=_aim(scope, route, candidates),
        retries=lower.lower_retries(route.retries),
        timeouts=lower.lower_timeouts(route.timeouts),
        hold_back=lower.lower_hold_back(route.hold_back),
        overflow=lower.lower_overflow(route.overflow),
        priority=None if route.priority == "Normal" else route.priority,
        untranslatable="Refuse" if route.untranslatable == "Refuse" else None,
    )


def _aim(scope: PolicyScope, route: Route, candidates: list[TableCandidate]) -> TableAim | None:
    if route.quality is None:
        return None
    target = route.quality.target or 0
    models = [scope.models[candidate.model] for candidate in candidates]
    # A candidate below the floor is never chosen, so it must not shape the price of quality either.
    models = [model for model in models if _prior(model) >= route.quality.floor]
    solved = solve_lambda0(models, target) if route.strategy == "Quality" and models else 0
    return TableAim(target_percent=target, floor=route.quality.floor, lambda0=solved)


def _pass_through_deployment(scope: PolicyScope) -> Problem | None:
    """An address that names one deployment serves it under every name."""
    dated = (it.name for it in scope.models.values() if it.provider.api_version is not None)
    found = next(dated, None)
    return None if found is None else problems.pass_through_deployment(scope.policy.ref, found)


def _prior(model: TableModel) -> int:
    return model.quality.prior if model.quality else 0


def _candidate_problem(scope: PolicyScope, route: Route, model: str, path: str) -> Problem | None:
    ref, known = scope.policy.ref, scope.models.get(model)
    compares = route.strategy == "Quality" or (
        route.quality is not None and route.quality.floor > 0
    )
    if known is not None:
        lacking = compares and known.quality is None and known.head is None
        return problems.unknown_quality(ref, path, model) if lacking else None
    pool, name = model.split("/", 1)
    opened = scope.pools.get(pool)
    if opened is None:
        return problems.pool_not_listed(ref, path, model)
    if name in opened.resolved.refused:
        return problems.model_refused(ref, path, model, opened.pool.object_name)
    if name in opened.abroad:
        return residency.candidate_problem(scope.policy, path, model)
    near = difflib.get_close_matches(model, sorted(scope.models), 1)
    return problems.model_not_found(ref, path, model, near)


def _without_shared_aliases(scope: PolicyScope, models: list[TableModel]) -> dict[str, TableModel]:
    """The models by name; an alias of two stays with the pool that is listed first."""
    owner: dict[str, str] = {}
    kept: dict[str, TableModel] = {}
    for model in models:
        aliases = []
        for alias in model.aliases:
            first = owner.setdefault(alias, model.name)
            if first == model.name:
                aliases.append(alias)
            else:
                scope.problems.append(
                    problems.alias_conflict(
                        scope.policy.ref, "spec.pools", alias, first, model.name
                    )
                )
        kept[model.name] = model.model_copy(update={"aliases": tuple(aliases)})
    return kept
