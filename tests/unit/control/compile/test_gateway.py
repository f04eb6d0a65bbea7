"""Pools of other namespaces: no key crosses, the gateway stands in its place, its owner decides."""

from __future__ import annotations

from typing import Any

from pointsman_operator.api import ProblemCode
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.catalog.catalogue import bundled
from pointsman_operator.compile import (
    Knowledge,
    Snapshot,
    compile_gateway,
    compile_policy,
    gateway_pools,
)
from pointsman_operator.compile.learnt import bundled_learnt
from support import resources as make

POOL, POLICY = ObjectName("ai", "main"), ObjectName("demo", "support")
KEY = {"secretRef": {"name": "pointsman-credentials", "key": "openai"}}
KEYED = {"type": "OpenAI", "model": "gpt-4o-mini-2024-07-18", "credential": KEY}
OPEN: dict[str, Any] = {"allowedNamespaces": {"from": "Names", "names": ["demo"]}}


def world(*more: dict[str, Any], gateways: frozenset[str] | None = frozenset({"ai"})) -> Snapshot:
    """A pool in `ai` with a key, a policy in `demo` that uses it."""
    pool = make.pool(make.hosted(provider=KEYED), namespace="ai", **OPEN)
    policy = make.policy(make.rule(), pools=[{"name": "main", "namespace": "ai"}])
    knowledge = Knowledge(bundled(), bundled_learnt(), gateways=gateways)
    return Snapshot.of(map(make.parsed, (pool, policy, *more)), knowledge, ["ai"])


def test_a_foreign_model_is_reached_by_its_pools_gateway_without_a_key() -> None:
    """The way and whom tickets are for; neither Secret nor provider is in the caller's table."""
    compiled = compile_policy(world(), POLICY)
    (model,) = compiled.table.models
    assert compiled.problems == ()
    assert model.provider.base_url == "https://pointsman-gateway-main.ai.svc/v1"
    assert model.provider.gateway is not None
    assert (model.provider.gateway.audience, model.provider.model) == ("ai/main", "main/mini")
    assert model.provider.credential is None
    assert b"pointsman-credentials" not in compiled.data
    assert b"api.openai.com" not in compiled.data


def test_the_gateway_holds_the_shares_of_a_limited_model_for_all_its_callers() -> None:
    """They would count its calls twice, and their own namespace has no share of the provider's."""
    allowed = {"requestsPerMinute": 600, "maxInFlight": 20}
    limited = make.pool(make.hosted(provider=KEYED, limits=allowed), namespace="ai", **OPEN)
    policy = make.policy(make.rule(), pools=[{"name": "main", "namespace": "ai"}])
    knowledge = Knowledge(bundled(), bundled_learnt(), gateways=frozenset({"ai"}))
    snapshot = Snapshot.of(map(make.parsed, (limited, policy)), knowledge, ["ai"])
    (callers,) = compile_policy(snapshot, POLICY).table.models
    assert callers.limits is None
    gateway = compile_gateway(snapshot, POOL).table
    (own,) = gateway.models
    assert own.limits is not None
    assert (own.limits.account, own.limits.requests_per_minute) == ("ai/main/mini", 600)
    assert (own.limits.max_in_flight, own.limits.tokens_per_minute) == (20, None)
    assert gateway.min_reader == 5


def test_outside_a_cluster_there_is_no_gateway() -> None:
    """Files have one owner: the key is used where it is."""
    (model,) = compile_policy(world(gateways=None), POLICY).table.models
    assert model.provider.gateway is None
    assert model.provider.credential is not None


def test_where_no_gateway_may_run_the_pool_is_closed_and_the_policy_says_why() -> None:
    """One problem with its remedy, not one for each candidate."""
    compiled = compile_policy(world(gateways=frozenset()), POLICY)
    codes = [problem.code for problem in compiled.problems]
    assert ProblemCode.GATEWAY_NAMESPACE_NOT_ALLOWED in codes
    assert compiled.table.models == ()
    assert gateway_pools(world(gateways=frozenset())) == frozenset()


def test_pass_through_ends_at_a_gateway() -> None:
    """A gateway takes its pool's names alone, so PassThrough is refused and said."""
    policy = make.policy(
        make.rule(),
        name="through",
        pools=[{"name": "main", "namespace": "ai"}],
        default={"action": "PassThrough"},
    )
    compiled = compile_policy(world(policy), ObjectName("demo", "through"))
    codes = {problem.code for problem in compiled.problems}
    assert ProblemCode.PASS_THROUGH_AMBIGUOUS in codes
    assert compiled.table.default.action == "Deny"


def test_the_gateways_table_has_the_owners_key_budgets_and_guests_and_nothing_else() -> None:
    """Budgets that bind others as well are booked by the callers' sidecars, once."""
    budgets = [
        make.budget("own", "ai"),
        make.budget("both", "ai", subject={"namespaces": ["ai", "demo"]}),
        make.budget("some", "ai", subject={"workloads": ["indexer"]}),
        make.budget("guests", "demo"),
    ]
    table = compile_gateway(world(*budgets), POOL).table
    (model,) = table.models
    assert (table.policy.namespace, table.policy.name) == ("ai", "pool:main")
    assert model.provider.credential is not None
    assert (table.rules, table.default.action) == ((), "Deny")
    assert [budget.name for budget in table.budgets] == ["own"]
    assert table.gateway is not None
    assert table.gateway.namespaces == ("demo",)


def test_a_pool_needs_a_gateway_while_others_may_and_do_use_it() -> None:
    """Its own namespace's policies go straight to the provider."""
    assert gateway_pools(world()) == {POOL}
    own = make.policy(make.rule(), namespace="ai")
    pool = make.pool(make.hosted(provider=KEYED), namespace="ai", **OPEN)
    knowledge = Knowledge(bundled(), bundled_learnt(), gateways=frozenset({"ai"}))
    alone = Snapshot.of(map(make.parsed, (pool, own)), knowledge)
    assert gateway_pools(alone) == frozenset()
