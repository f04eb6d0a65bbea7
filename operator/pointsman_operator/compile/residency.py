"""Where models may compute: the pools' constraints, which nobody loosens, and a policy's residency.

What is not allowed is not in the table, so no rule, name or alias reaches it. What is there says
where it is and may be, so that a reader finds a mistake of ours by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool, PoolModel
from pointsman_operator.api.problems import Problem
from pointsman_operator.compile import problems
from pointsman_operator.compile.table import TableModel


def model_problem(pool: ModelPool, model: PoolModel, path: str) -> Problem | None:
    """Why the pool's own constraints forbid a model of it."""
    allowed = pool.spec.constraints.allowed_regions
    if allowed is None or model.region in allowed:
        return None
    part = "provider" if model.provider else "selfHosted"
    where = f"{path}.{part}.region"
    return problems.model_out_of_region(pool.ref, where, model.region, _words(allowed))


def lives_elsewhere(policy: RoutingPolicy, model: PoolModel) -> bool:
    """Whether the policy's residency leaves a model out."""
    residency = policy.spec.residency
    return residency is not None and model.region not in residency.allowed_regions


def with_regions(
    model: TableModel, pool: ModelPool, policy: RoutingPolicy | None = None
) -> TableModel:
    """The model with where it is and may be, by the resources and not by what was left out.

    Without a policy: as the pool's own gateway serves it.
    """
    floors = [pool.spec.constraints.allowed_regions]
    if policy is not None and policy.spec.residency is not None:
        floors.append(policy.spec.residency.allowed_regions)
    told = [frozenset(floor) for floor in floors if floor is not None]
    if not told:
        return model
    allowed: frozenset[str] = frozenset.intersection(*told)
    names = {f"{pool.metadata.name}/{it.name}": it.region for it in pool.spec.models}
    update = {"region": names[model.name], "allowed_regions": tuple(sorted(allowed))}
    return model.model_copy(update=update)


def candidate_problem(policy: RoutingPolicy, path: str, model: str) -> Problem:
    """A rule names a model that `lives_elsewhere`."""
    residency = policy.spec.residency
    allowed = _words(residency.allowed_regions if residency else ())
    return problems.candidate_out_of_region(policy.ref, path, model, allowed)


def looser(policy: RoutingPolicy, pools: Iterable[ModelPool]) -> list[Problem]:
    """Regions that the policy allows and one of its pools forbids."""
    residency, found = policy.spec.residency, []
    for pool in pools:
        floor = pool.spec.constraints.allowed_regions
        if residency is None or floor is None:
            continue
        more = sorted(set(residency.allowed_regions) - set(floor))
        if more:
            name = pool.object_name
            found.append(problems.looser_regions(policy.ref, name, more, _words(floor)))
    return found


def pass_through_problem(policy: RoutingPolicy, pools: Iterable[ModelPool]) -> Problem | None:
    """A name that no pool lists has no region: PassThrough and regions exclude each other."""
    for pool in pools:
        floor = pool.spec.constraints.allowed_regions
        if floor is not None:
            return problems.looser_pass_through(policy.ref, pool.object_name, _words(floor))
    if policy.spec.residency is None:
        return None
    allowed = _words(policy.spec.residency.allowed_regions)
    return problems.pass_through_everywhere(policy.ref, allowed)


def _words(regions: Iterable[str]) -> str:
    return ", ".join(sorted(regions))
