"""All that the controller knows now, and what concerns whom. Filled by watches, read by reconcile.

Nothing here waits or writes: events change dictionaries and name the keys whose work they touch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pointsman_operator.api.budget import Budget
from pointsman_operator.api.kinds import KINDS
from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.catalog.catalogue import bundled
from pointsman_operator.compile import (
    CompiledTable,
    Knowledge,
    Snapshot,
    compile_gateway,
    compile_policy,
)
from pointsman_operator.compile.learnt import bundled_learnt
from pointsman_operator.compile.lower import lower_budget
from pointsman_operator.compile.precedence import labels_of, precedence, selects_pods
from pointsman_operator.compile.snapshot import bound_namespaces
from pointsman_operator.compile.table_budget import TableBudget
from pointsman_operator.controller import limits
from pointsman_operator.controller.fleet import Fleet, FleetNews
from pointsman_operator.controller.held import Held, read_held, ref_of
from pointsman_operator.controller.observed import Account, Down, OwnModel, Pod, Sidecar, Strained


@dataclass(frozen=True)
class _Compilation:
    inputs: tuple[object, ...]
    table: CompiledTable
    before: Mapping[str, tuple[TableBudget, ...]]
    """Budgets by digest, of the policy's tables until this one."""

    @property
    def held(self) -> Mapping[str, tuple[TableBudget, ...]]:
        """The same with this one, the last of them."""
        kept = {name: held for name, held in self.before.items() if name != self.table.digest}
        recent = list(kept.items())[1 - limits.TABLES_REMEMBERED :]
        return {**dict(recent), self.table.digest: self.table.table.budgets}


@dataclass
class World:
    """Resources, pods, namespaces, fleet, accounts."""

    platform_namespaces: frozenset[str] = frozenset()
    scope: frozenset[str] = frozenset()
    """The namespaces that we have rights in; empty: all of them."""
    knowledge: Knowledge = field(default_factory=lambda: Knowledge(bundled(), bundled_learnt()))
    held: dict[ObjectRef, Held] = field(default_factory=dict)
    pods: dict[str, dict[str, Pod]] = field(default_factory=dict)
    """By namespace and name."""
    namespaces: dict[str, str] = field(default_factory=dict)
    """Name -> value of `pointsman.dev/injection`."""
    leaving: set[str] = field(default_factory=set)
    """Namespaces that are being deleted: nothing can be written there, and nothing needs to be."""
    models: Mapping[ObjectName, tuple[OwnModel, ...]] = field(default_factory=dict)
    """Self-hosted ones by pool, as the hub sees them."""
    down: Mapping[ObjectName, tuple[Down, ...]] = field(default_factory=dict)
    """Models that the hub judges to be down, by pool."""
    strained: Mapping[ObjectName, tuple[Strained, ...]] = field(default_factory=dict)
    """Limits of models that are used up or nearly so, by pool."""
    accounts: Mapping[str, Account] | None = None
    """By `namespace/budget/limit`; None: the hub has told none yet."""
    hub: str = "the hub has not been asked yet"
    """Why it cannot be asked; empty: it answers."""
    _fleet: Fleet = field(default_factory=Fleet)
    _snapshot: Snapshot | None = None
    _policy_names: dict[str, set[str]] = field(default_factory=dict)
    """By namespace."""
    _compiled: dict[ObjectName, _Compilation] = field(default_factory=dict)
    _gateways: dict[ObjectName, tuple[tuple[object, ...], CompiledTable]] = field(
        default_factory=dict
    )

    @property
    def sidecars(self) -> Mapping[str, Sidecar]:
        """By pod UID."""
        return self._fleet.sidecars

    @property
    def snapshot(self) -> Snapshot:
        """The resources that the models take, frozen."""
        if self._snapshot is None:
            self._snapshot = self._frozen()
        return self._snapshot

    def take(self, document: Mapping[str, Any]) -> frozenset[ObjectRef]:
        """An object is there, or has changed; the resources that this touches."""
        ref = ref_of(document)
        known = self.held.get(ref)
        held = read_held(document, known)
        if held is None:
            return frozenset()
        if known is None or known.resource is not held.resource or known.problems != held.problems:
            before = self.touched(ref)
            self._hold(ref, held)
            return before | self.touched(ref)
        self.held[ref] = held
        return frozenset({ref})

    def fill(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take many at once, where nobody asks what they touch."""
        self._snapshot = None
        for document in documents:
            ref = ref_of(document)
            held = read_held(document, self.held.get(ref))
            if held is not None:
                self._hold(ref, held)

    def drop(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """An object is gone; the resources that this touches."""
        if ref not in self.held:
            return frozenset()
        before = self.touched(ref)
        self._hold(ref, None)
        return before | self.touched(ref) | {ref}

    def policy_names(self, namespace: str) -> Collection[str]:
        """Of all that there are, also those that the models refuse."""
        return self._policy_names.get(namespace, ())

    def touched(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Resources whose table or status can depend on this one."""
        snapshot = self.snapshot
        found = {ref}
        policies = set(snapshot.dependents(ref))
        if ref.kind == RoutingPolicy.KIND:
            # Rivals of one namespace take workloads from each other.
            rivals = snapshot.policies_by_namespace.get(ref.namespace, ())
            policies |= {policy.object_name for policy in rivals}
            found |= {b.ref for b in snapshot.budgets_by_namespace.get(ref.namespace, ())}
        for name in policies:
            found.add(ObjectRef(RoutingPolicy.KIND, name.namespace, name.name))
            if ref.kind == RoutingPolicy.KIND:
                found |= {
                    ObjectRef(ModelPool.KIND, pool.namespace, pool.name)
                    for pool in snapshot.policies[name].pool_names
                }
        return frozenset(found)

    def in_namespace(self, namespace: str) -> frozenset[ObjectRef]:
        """Resources whose status depends on the pods of a namespace."""
        snapshot = self.snapshot
        found: set[ObjectRef] = set()
        for policy in snapshot.policies_by_namespace.get(namespace, ()):
            found.add(policy.ref)
            found |= {ObjectRef("ModelPool", p.namespace, p.name) for p in policy.pool_names}
        if namespace in (self.knowledge.gateways or ()):
            # Its pods may be gateways, which policies of other namespaces depend on.
            for pool, users in snapshot.users_by_pool.items():
                if pool.namespace == namespace:
                    found |= {policy.ref for policy in users}
        return frozenset(found | {b.ref for b in snapshot.budgets_by_namespace.get(namespace, ())})

    def compiled(self, name: ObjectName) -> CompiledTable:
        """A policy's table, compiled again only when something that it reads has changed."""
        return self._compilation(name).table

    def gateway(self, pool: ObjectName) -> CompiledTable:
        """The table of a pool's gateway, compiled again only when something of it has changed."""
        snapshot = self.snapshot
        inputs = (snapshot.pools[pool], *snapshot.budgets_by_namespace.get(pool.namespace, ()))
        known = self._gateways.get(pool)
        if known is None or not _same(known[0], inputs):
            known = self._gateways[pool] = (inputs, compile_gateway(snapshot, pool))
        return known[1]

    def gateway_reports(self, pool: ObjectName) -> list[Sidecar]:
        """The pods of a pool's gateway whose stream is open."""
        return self._reports_of(f"pool/{pool.name}", pool.namespace)

    def entry_reports(self, policy: ObjectName) -> list[Sidecar]:
        """The pods of a policy's own gateway whose stream is open."""
        return self._reports_of(f"policy/{policy.name}", policy.namespace)

    def _reports_of(self, role: str, namespace: str) -> list[Sidecar]:
        return [
            it
            for it in self.sidecars.values()
            if it.gateway == role and it.namespace == namespace and it.connected
        ]

    def without_gateway(self, policy: ObjectName) -> list[ObjectName]:
        """Pools of other namespaces that a policy's table uses and no ready gateway serves."""
        models = self.compiled(policy).table.models
        foreign = {it.pool for it in models if it.provider.gateway is not None}
        pools = sorted(ObjectName(it.namespace, it.name) for it in foreign)
        return [
            pool
            for pool in pools
            if not any(
                it.digest == self.gateway(pool).digest and not it.waiting
                for it in self.gateway_reports(pool)
            )
        ]

    def digests_holding(self, budget: Budget) -> frozenset[str]:
        """Of the tables of late that hold a Budget just as it is now."""
        bound = bound_namespaces(self.snapshot, budget)
        wanted = lower_budget(budget, bound)
        return frozenset(
            digest
            for policy in self.policies_of(bound)
            for digest, held in self._compilation(policy.object_name).held.items()
            if wanted in held
        )

    def policies_of(self, namespaces: Iterable[str]) -> list[RoutingPolicy]:
        """Those of some namespaces."""
        found = self.snapshot.policies_by_namespace
        return [policy for namespace in sorted(namespaces) for policy in found.get(namespace, ())]

    def told(self, ref: ObjectRef, answer: Mapping[str, Any]) -> None:
        """We have written the status; what the API server holds now."""
        known = self.held.get(ref)
        if known is not None:
            version = str(answer["metadata"]["resourceVersion"])
            status = answer.get("status") or {}
            self.held[ref] = replace(known, status=status, version=version)

    def forget(self, name: ObjectName) -> None:
        """A policy is gone."""
        self._compiled.pop(name, None)

    def served(self, policy: RoutingPolicy) -> list[Pod]:
        """The running pods that a policy serves: the smallest precedence that selects them."""
        namespace = policy.metadata.namespace
        if not selects_pods(policy):
            return []
        here = filter(selects_pods, self.snapshot.policies_by_namespace[namespace])
        rivals = sorted(here, key=precedence)
        own = labels_of(policy).items()
        earlier = [labels_of(rival).items() for rival in rivals[: rivals.index(policy)]]
        return [
            pod
            for pod in self.pods.get(namespace, {}).values()
            if own <= pod.labels.items()
            and not any(labels <= pod.labels.items() for labels in earlier)
        ]

    def reports(self, namespaces: Iterable[str]) -> list[Sidecar]:
        """Connected sidecars of running pods."""
        found = (
            self.sidecars.get(pod.uid)
            for namespace in namespaces
            for pod in self.pods.get(namespace, {}).values()
        )
        return [sidecar for sidecar in found if sidecar is not None and sidecar.connected]

    def take_pod(self, key: tuple[str, str], pod: Pod | None) -> None:
        """A pod is there, has changed, or is gone."""
        here = self.pods.setdefault(key[0], {})
        if pod is None or pod.leaving:
            here.pop(key[1], None)
            if not here:
                del self.pods[key[0]]
        else:
            here[key[1]] = pod

    def writable(self, namespace: str) -> bool:
        """Whether anything of ours may and need be written there."""
        return namespace not in self.leaving and (not self.scope or namespace in self.scope)

    def take_namespace(self, name: str, found: tuple[str, bool] | None) -> None:
        """A namespace's label and whether it is being deleted; None: it is gone."""
        self.leaving.discard(name)
        if found is None:
            self.namespaces.pop(name, None)
            return
        self.namespaces[name] = found[0]
        if found[1]:
            self.leaving.add(name)

    def take_fleet(self, news: FleetNews) -> frozenset[str]:
        """What the hub now says of the fleet; the namespaces in which something changed."""
        return self._fleet.take(news)

    def _compilation(self, name: ObjectName) -> _Compilation:
        snapshot = self.snapshot
        policy = snapshot.policies[name]
        inputs: tuple[object, ...] = (
            policy,
            *(snapshot.pools.get(pool) for pool in policy.pool_names),
            *snapshot.budgets_by_namespace.get(name.namespace, ()),
        )
        known = self._compiled.get(name)
        if known is None or not _same(known.inputs, inputs):
            before = known.held if known is not None else {}
            known = _Compilation(inputs, compile_policy(snapshot, name), before)
            self._compiled[name] = known
        return known

    def take_models(
        self, models: Mapping[ObjectName, tuple[OwnModel, ...]]
    ) -> frozenset[ObjectRef]:
        """Self-hosted models as the hub now sees them; the pools in which something changed."""
        before, self.models = self.models, models
        return self._pools_between(before, models)

    def take_down(self, down: Mapping[ObjectName, tuple[Down, ...]]) -> frozenset[ObjectRef]:
        """What the hub now judges to be down; the pools in which something changed."""
        before, self.down = self.down, down
        return self._pools_between(before, down)

    def take_strained(
        self, strained: Mapping[ObjectName, tuple[Strained, ...]]
    ) -> frozenset[ObjectRef]:
        """Limits that are used up or nearly so; the pools in which something changed."""
        before, self.strained = self.strained, strained
        return self._pools_between(before, strained)

    def _pools_between(
        self, before: Mapping[ObjectName, object], now: Mapping[ObjectName, object]
    ) -> frozenset[ObjectRef]:
        changed = (it for it in before.keys() | now if before.get(it) != now.get(it))
        refs = {ObjectRef(ModelPool.KIND, it.namespace, it.name) for it in changed}
        return frozenset(refs & self.held.keys())

    def take_accounts(self, accounts: Mapping[str, Account]) -> frozenset[ObjectRef]:
        """What the hub's accounts now hold; the Budgets of which something changed."""
        before, self.accounts = self.accounts, accounts
        if before is None:
            return frozenset(ref for ref in self.held if ref.kind == Budget.KIND)
        changed = (it for it in before.keys() | accounts if before.get(it) != accounts.get(it))
        refs = {ObjectRef(Budget.KIND, *name.split("/")[:2]) for name in changed}
        return frozenset(refs & self.held.keys())

    def _hold(self, ref: ObjectRef, held: Held | None) -> None:
        """Keep what is held in step: the names, and the snapshot where there is one."""
        if held is None:
            del self.held[ref]
        else:
            self.held[ref] = held
        if ref.kind == RoutingPolicy.KIND:
            names = self._policy_names.setdefault(ref.namespace, set())
            if held is None:
                names.discard(ref.name)
            else:
                names.add(ref.name)
            if not names:
                del self._policy_names[ref.namespace]
        if self._snapshot is not None:
            self._snapshot = self._snapshot.with_one(ref, held.resource if held else None)

    def _frozen(self) -> Snapshot:
        kinds: dict[type, dict[ObjectName, Any]] = {kind.resource: {} for kind in KINDS}
        for ref in sorted(self.held):
            resource = self.held[ref].resource
            if resource is not None:
                kinds[type(resource)][resource.object_name] = resource
        return Snapshot(
            MappingProxyType(kinds[ModelPool]),
            MappingProxyType(kinds[RoutingPolicy]),
            MappingProxyType(kinds[Budget]),
            self.knowledge,
            self.platform_namespaces,
        )


def cluster_knowledge(gateway_namespaces: Iterable[str]) -> Knowledge:
    """What is known in a cluster; pools of other namespaces are behind gateways."""
    return Knowledge(bundled(), bundled_learnt(), gateways=frozenset(gateway_namespaces))


def _same(first: tuple[object, ...], second: tuple[object, ...]) -> bool:
    return len(first) == len(second) and all(a is b for a, b in zip(first, second, strict=True))
