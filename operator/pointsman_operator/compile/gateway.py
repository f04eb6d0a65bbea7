"""Models of another namespace: how a policy's table reaches them, and the table of their gateway.

Their keys lie where their pool does. So a table holds the way to the pool's gateway in their place
(docs/contracts-kubernetes.md 6), and the gateway's own table holds the models as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from pointsman_operator.api.gateways import audience, url
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.api.problems import Problem
from pointsman_operator.compile import problems, residency
from pointsman_operator.compile.lower import lower_budget
from pointsman_operator.compile.resolve import ResolvedPool
from pointsman_operator.compile.snapshot import Snapshot, bound_namespaces
from pointsman_operator.compile.table import (
    FIRST_TYPES,
    RouteTable,
    TableDefault,
    TableGateway,
    TableModel,
    TableName,
    TableProvider,
    TableWay,
    least_reader,
)
from pointsman_operator.compile.table_budget import TableBudget


def table_name(pool: ObjectName) -> ObjectName:
    """Under which name a pool's gateway's table is published; no policy can be called so."""
    return ObjectName(pool.namespace, f"pool:{pool.name}")


def is_gateway_table(name: ObjectName) -> bool:
    """Whether a table is a pool's gateway's: a policy's name holds no colon."""
    return name.name.startswith("pool:")


def by_gateway(model: TableModel) -> TableModel:
    """The model as a policy of another namespace calls it: no key, no endpoint, no provider."""
    pool = ObjectName(model.pool.namespace, model.pool.name)
    provider = TableProvider(
        type="OpenAICompatible",
        label=model.provider.label,
        model=model.name,
        base_url=f"{url('pool', pool)}/v1",
        simulated=False,
        gateway=TableWay(audience=audience(pool)),
        allowed_hosts=(),
        stream_end=_chat_end(model.provider),
        cap_field=_chat_cap(model.provider),
    )
    # The gateway has shares for all who call it.
    return model.model_copy(update={"provider": provider, "limits": None})


def _chat_cap(provider: TableProvider) -> str:
    """What caps an answer on the way to the gateway, which speaks OpenAI's format."""
    return provider.cap_field if provider.type in FIRST_TYPES else "max_completion_tokens"


def _chat_end(provider: TableProvider) -> Literal["Done", "Eof"]:
    """What ends a stream of the gateway's: of a format that it translates, its own last event."""
    return provider.stream_end if provider.type in FIRST_TYPES else "Done"


def problem_of(
    policy: RoutingPolicy, path: str, pool: ModelPool, gateways: frozenset[str] | None
) -> Problem | None:
    """Why a pool of another namespace cannot have the gateway that it needs; None where it can."""
    namespace = pool.metadata.namespace
    if gateways is None or namespace == policy.metadata.namespace or namespace in gateways:
        return None
    return problems.gateway_not_allowed(policy.ref, path, pool.object_name)


def seen_from(
    policy: RoutingPolicy, pool: ModelPool, resolved: ResolvedPool, gateways: frozenset[str] | None
) -> ResolvedPool:
    """The pool's models as the policy reaches them; no gateway is needed outside a cluster."""
    if gateways is None or pool.metadata.namespace == policy.metadata.namespace:
        return resolved
    models = {name: by_gateway(model) for name, model in resolved.models.items()}
    return replace(resolved, models=models)


def pass_through_problem(policy: RoutingPolicy, models: Iterable[TableModel]) -> Problem | None:
    """PassThrough and gateways exclude each other: a gateway takes its pool's names alone."""
    for model in models:
        if model.provider.gateway is not None:
            pool = ObjectName(model.pool.namespace, model.pool.name)
            return problems.pass_through_gateway(policy.ref, pool)
    return None


def gateway_pools(snapshot: Snapshot) -> frozenset[ObjectName]:
    """The pools that need a gateway: policies of other namespaces name them, and may."""
    listed = snapshot.knowledge.gateways or frozenset()
    return frozenset(
        name
        for name, users in (snapshot.users_by_pool.items() if listed else ())
        if name.namespace in listed
        and name in snapshot.pools
        and any(
            user.metadata.namespace != name.namespace
            and snapshot.pools[name].spec.allowed_namespaces.admits(user.metadata.namespace)
            for user in users
        )
    )


def gateway_policies(snapshot: Snapshot) -> dict[ObjectName, int]:
    """The policies that have a gateway of their own, where such may run; with its replicas."""
    listed = snapshot.knowledge.gateways or frozenset()
    return {
        name: policy.spec.target.gateway.replicas
        for name, policy in (snapshot.policies.items() if listed else ())
        if policy.spec.target.gateway is not None and name.namespace in listed
    }


def entry_problem(policy: RoutingPolicy, gateways: frozenset[str] | None) -> Problem | None:
    """Why a policy cannot have the gateway that it asks for; None where it can or asks for none."""
    if policy.spec.target.gateway is None or gateways is None:
        return None
    if policy.metadata.namespace in gateways:
        return None
    return problems.entry_not_allowed(policy.ref)


def gateway_table(snapshot: Snapshot, pool: ModelPool, resolved: ResolvedPool) -> RouteTable:
    """The table of a pool's gateway: its models by their full names, and who may call."""
    name, allowed = pool.object_name, pool.spec.allowed_namespaces
    everybody = allowed.source == "All"
    own = (resolved.models[model] for model in sorted(resolved.models))
    models = tuple(
        residency.with_regions(model.model_copy(update={"aliases": (), "head": None}), pool)
        for model in own
    )
    return RouteTable(
        min_reader=least_reader(models),
        policy=TableName(namespace=name.namespace, name=table_name(name).name),
        catalogue=snapshot.knowledge.catalogue.digest,
        models=models,
        signals=(),
        rules=(),
        default=TableDefault(action="Deny"),
        budgets=_budgets(snapshot, name.namespace),
        gateway=TableGateway(namespaces=None if everybody else tuple(sorted(allowed.names))),
    )


def _budgets(snapshot: Snapshot, namespace: str) -> tuple[TableBudget, ...]:
    """Those that bind this namespace alone: what binds several is booked by the caller's sidecar.

    Workloads are those of the namespace itself, so a Budget of some of them binds no guest.
    """
    return tuple(
        lower_budget(budget, bound_namespaces(snapshot, budget))
        for budget in snapshot.budgets_by_namespace.get(namespace, ())
        if bound_namespaces(snapshot, budget) == {namespace} and not budget.spec.subject.workloads
    )
