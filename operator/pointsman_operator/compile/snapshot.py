"""A frozen view of the world: all that `compile` may know, and what depends on what (I1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from pointsman_operator.api.budget import Budget
from pointsman_operator.api.kinds import AnyResource
from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.catalog.catalogue import Catalogue, bundled
from pointsman_operator.compile.learnt import Learnt, bundled_learnt


@dataclass(frozen=True)
class Knowledge:
    """What is known beside the resources: prices, learnt quality, simulated providers."""

    catalogue: Catalogue
    learnt: Learnt
    simulated: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Provider label -> base URL of its simulator."""
    gateways: frozenset[str] | None = None
    """Namespaces in which gateways may run; None: pools of other namespaces need none."""
    cluster: bool = True
    """Whether there is a cluster whose Services and pods can be watched."""


@dataclass(frozen=True)
class Snapshot:
    """The resources at one moment, in one order however they came."""

    pools: Mapping[ObjectName, ModelPool]
    policies: Mapping[ObjectName, RoutingPolicy]
    budgets: Mapping[ObjectName, Budget]
    knowledge: Knowledge
    platform_namespaces: frozenset[str] = frozenset()
    """Namespaces whose Budgets may bind others."""

    @classmethod
    def of(
        cls,
        objects: Iterable[AnyResource],
        knowledge: Knowledge | None = None,
        platform_namespaces: Iterable[str] = (),
    ) -> Snapshot:
        """A snapshot of these objects; `knowledge` defaults to what this version ships.

        Two objects of one name cannot exist in a cluster, and the loader refuses them in files;
        should they come all the same, which one counts does not depend on their order.
        """
        pools: dict[ObjectName, ModelPool] = {}
        policies: dict[ObjectName, RoutingPolicy] = {}
        budgets: dict[ObjectName, Budget] = {}
        for item in sorted(objects, key=_order):
            if isinstance(item, ModelPool):
                pools[item.object_name] = item
            elif isinstance(item, RoutingPolicy):
                policies[item.object_name] = item
            else:
                budgets[item.object_name] = item
        return cls(
            MappingProxyType(pools),
            MappingProxyType(policies),
            MappingProxyType(budgets),
            knowledge or Knowledge(bundled(), bundled_learnt()),
            frozenset(platform_namespaces),
        )

    @cached_property
    def policies_by_namespace(self) -> Mapping[str, tuple[RoutingPolicy, ...]]:
        """A policy's rivals are in its namespace only."""
        found: dict[str, list[RoutingPolicy]] = {}
        for policy in self.policies.values():
            found.setdefault(policy.metadata.namespace, []).append(policy)
        return {namespace: tuple(policies) for namespace, policies in found.items()}

    @cached_property
    def users_by_pool(self) -> Mapping[ObjectName, tuple[RoutingPolicy, ...]]:
        """The policies that name each pool, in any namespace."""
        found: dict[ObjectName, list[RoutingPolicy]] = {}
        for policy in self.policies.values():
            for pool in policy.pool_names:
                found.setdefault(pool, []).append(policy)
        return {pool: tuple(policies) for pool, policies in found.items()}

    @cached_property
    def budgets_by_namespace(self) -> Mapping[str, tuple[Budget, ...]]:
        """The Budgets that bind each namespace, in the order of their names."""
        found: dict[str, list[Budget]] = {}
        for _, budget in sorted(self.budgets.items()):
            for namespace in bound_namespaces(self, budget):
                found.setdefault(namespace, []).append(budget)
        return {namespace: tuple(budgets) for namespace, budgets in found.items()}

    def objects(self) -> Iterator[AnyResource]:
        """All objects, pools first."""
        yield from self.pools.values()
        yield from self.policies.values()
        yield from self.budgets.values()

    def with_one(self, ref: ObjectRef, resource: AnyResource | None) -> Snapshot:
        """The same world but for one object, which is now `resource` or, None, is not there."""
        name = ObjectName(ref.namespace, ref.name)
        fields = {ModelPool.KIND: "pools", RoutingPolicy.KIND: "policies", Budget.KIND: "budgets"}
        changed: dict[ObjectName, Any] = dict(getattr(self, fields[ref.kind]))
        known = name in changed
        if resource is None:
            changed.pop(name, None)
        else:
            changed[name] = resource
            if not known:
                changed = dict(sorted(changed.items(), key=lambda item: item[0]))
        part: dict[str, Any] = {fields[ref.kind]: MappingProxyType(changed)}
        return replace(self, **part)

    def dependents(self, ref: ObjectRef) -> frozenset[ObjectName]:
        """The policies whose tables can change when this object does.

        One edit recompiles only these.
        """
        name = ObjectName(ref.namespace, ref.name)
        if ref.kind == RoutingPolicy.KIND:
            return frozenset({name} & self.policies.keys())
        if ref.kind == ModelPool.KIND:
            return frozenset(policy.object_name for policy in self.users_by_pool.get(name, ()))
        budget = self.budgets.get(name)
        # A Budget that is gone bound its own namespace; one of a platform's may have bound any.
        everywhere = ref.namespace in self.platform_namespaces and budget is None
        bound = bound_namespaces(self, budget) if budget else frozenset({ref.namespace})
        return frozenset(own for own in self.policies if everywhere or own.namespace in bound)


def simulate(snapshot: Snapshot, base_urls: Mapping[str, str], only: Iterable[str]) -> Snapshot:
    """The same world with some providers replaced by simulators, without keys and labelled so.

    `base_urls` maps provider labels to URLs that end before `/chat/completions`; labels beyond
    `only` stay real. Prices stay the real provider's.
    """
    chosen = {label: base_urls[label] for label in sorted(only) if label in base_urls}
    knowledge = replace(
        snapshot.knowledge,
        simulated=MappingProxyType({**snapshot.knowledge.simulated, **chosen}),
    )
    return replace(snapshot, knowledge=knowledge)


def bound_namespaces(snapshot: Snapshot, budget: Budget) -> frozenset[str]:
    """The namespaces whose requests a Budget counts."""
    own = budget.metadata.namespace
    named = frozenset(budget.spec.subject.namespaces) or frozenset({own})
    return named if own in snapshot.platform_namespaces else named & {own}


def _order(item: AnyResource) -> tuple[ObjectRef, str]:
    return item.ref, item.model_dump_json(by_alias=True)
