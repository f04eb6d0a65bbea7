"""One object's status as the world has it: what compiling says and what is observed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pointsman_operator.api.budget import Budget
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.api.problems import ProblemCode
from pointsman_operator.compile import budget_problems, gateway_pools
from pointsman_operator.compile.gateway import gateway_policies
from pointsman_operator.compile.precedence import conflicts
from pointsman_operator.compile.resolve import resolve_pool
from pointsman_operator.compile.snapshot import bound_namespaces
from pointsman_operator.compile.status import conditions_of, policy_facts, pool_facts, refused
from pointsman_operator.controller.findings import Finding
from pointsman_operator.controller.held import Held
from pointsman_operator.controller.truth_budget import (
    BudgetView,
    accounts_told,
    budget_figures,
    budget_findings,
)
from pointsman_operator.controller.truth_engines import (
    endpoint_share,
    engine_findings,
    found_models,
)
from pointsman_operator.controller.truth_entry import EntryView, entry_facts, entry_findings
from pointsman_operator.controller.truth_policy import (
    PolicyView,
    Trouble,
    next_look,
    policy_counts,
    policy_findings,
)
from pointsman_operator.controller.truth_pool import PoolUse, pool_findings, pool_targets
from pointsman_operator.controller.world import World


@dataclass(frozen=True)
class Draft:
    """A status before its conditions get their times."""

    compiled: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    look_again_s: float | None = None
    """When it can change although nothing is told."""


def draft(world: World, held: Held, trouble: Trouble | None, now: float) -> Draft:
    """The status of one object."""
    resource = held.resource
    if isinstance(resource, RoutingPolicy):
        return _policy(world, resource, trouble, now)
    if isinstance(resource, ModelPool):
        return _pool(world, resource)
    if isinstance(resource, Budget):
        return _budget(world, held, resource, now)
    return Draft(refused(held.problems, held.generation))


def policy_view(
    world: World, policy: RoutingPolicy, trouble: Trouble | None, now: float
) -> PolicyView:
    """What is seen of a policy's pods."""
    return PolicyView(
        pods=world.served(policy),
        namespace_label=world.namespaces.get(policy.metadata.namespace, ""),
        sidecars=world.sidecars,
        hub=world.hub,
        without_gateway=world.without_gateway(policy.object_name),
        trouble=trouble,
        now=now,
    )


def _policy(world: World, policy: RoutingPolicy, trouble: Trouble | None, now: float) -> Draft:
    compiled = world.compiled(policy.object_name)
    # A rival may have come since the table was compiled: it changes who is served, not the table.
    own = [it for it in compiled.problems if it.code is not ProblemCode.CONFLICTED]
    problems = (*own, *conflicts(world.snapshot, policy))
    if policy.spec.target.gateway is not None:
        entry = EntryView(
            name=policy.object_name,
            replicas=policy.spec.target.gateway.replicas,
            reports=world.entry_reports(policy.object_name),
            hub=world.hub,
            trouble=trouble,
            without_gateway=world.without_gateway(policy.object_name),
            allowed=policy.object_name in gateway_policies(world.snapshot),
        )
        facts = {**policy_facts(compiled), **entry_facts(compiled, entry)}
        return Draft(conditions_of(policy, problems), entry_findings(compiled, entry), facts)
    view = policy_view(world, policy, trouble, now)
    return Draft(
        conditions_of(policy, problems),
        policy_findings(compiled, view),
        {**policy_facts(compiled), **policy_counts(compiled, view)},
        next_look(view),
    )


def _pool(world: World, pool: ModelPool) -> Draft:
    resolved = resolve_pool(pool, world.knowledge)
    name = pool.object_name
    uses = [
        PoolUse(world.compiled(policy.object_name), _reports(world, policy))
        for policy in world.snapshot.users_by_pool.get(name, ())
    ]
    used = list(uses)
    if name in gateway_pools(world.snapshot):
        used.append(PoolUse(world.gateway(name), world.gateway_reports(name)))
    secrets = {
        model.provider.known_by for model in resolved.models.values() if model.provider.known_by
    }
    own, seen = found_models(pool), world.models.get(name, ())
    down = world.down.get(name, ())
    facts = {
        **pool_facts(resolved),
        "policies": len(uses),
        "targets": pool_targets(name, used, down, world.strained.get(name, ())),
        **endpoint_share(own, seen),
    }
    findings = pool_findings(name, secrets, used, down) + engine_findings(own, seen, world.hub)
    return Draft(conditions_of(pool, resolved.problems), findings, facts)


def _budget(world: World, held: Held, budget: Budget, now: float) -> Draft:
    snapshot = world.snapshot
    bound = bound_namespaces(snapshot, budget)
    own: ObjectName = budget.object_name
    held_now = world.accounts
    if held_now is None:
        # A controller that has just begun, and no hub: what was true last is said on.
        accounts = accounts_told(budget, held.status)
    else:
        accounts = {
            limit.name: held_now[f"{own}/{limit.name}"]
            for limit in budget.spec.limits
            if f"{own}/{limit.name}" in held_now
        }
    views = [policy_view(world, policy, None, now) for policy in world.policies_of(bound)]
    view = BudgetView(
        accounts=accounts,
        policies=views,
        digests=world.digests_holding(budget),
        settled=_settled(held),
        reports=world.reports(bound),
        hub=world.hub,
    )
    problems = tuple(budget_problems(snapshot, budget))
    return Draft(
        conditions_of(budget, problems),
        budget_findings(budget, view),
        budget_figures(budget, view),
        min((look for it in views if (look := next_look(it)) is not None), default=None),
    )


def _settled(held: Held) -> bool:
    """Whether this generation was in force once; under Audit only Ready can say so."""
    return any(
        it["type"] in ("Enforced", "Ready")
        and it["status"] == "True"
        and it.get("observedGeneration") == held.generation
        for it in held.status.get("conditions", ())
    )


def _reports(world: World, policy: RoutingPolicy) -> list[Any]:
    return policy_view(world, policy, None, 0.0).reporting
