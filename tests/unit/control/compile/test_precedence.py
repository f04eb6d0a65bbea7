"""Which policy serves a workload, and who is told that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman_operator.api import ObjectName, ProblemCode, RoutingPolicy
from pointsman_operator.compile import (
    Snapshot,
    compile,  # noqa: A004 - the compiler's name
    serving_policy,
    simulate,
)
from pointsman_operator.compile.precedence import target_of
from support import resources as make

SUPPORT = {"app": "support"}


def _policy(
    name: str, labels: dict[str, str] | None = None, created: str = "", **spec: Any
) -> RoutingPolicy:
    target = {"selector": {"matchLabels": labels}} if labels else {}
    document = make.policy(name=name, target=target, **spec)
    document["metadata"]["creationTimestamp"] = created
    found = make.parsed(document)
    assert isinstance(found, RoutingPolicy)
    return found


def _serving(labels: dict[str, str], *policies: RoutingPolicy) -> str | None:
    found = serving_policy(Snapshot.of(policies), "demo", labels)
    return found.name if found else None


def test_higher_priority_serves() -> None:
    """Priority beats age."""
    old = _policy("a", SUPPORT, "2026-01-01T00:00:00Z")
    assert _serving(SUPPORT, old, _policy("b", SUPPORT, "2026-02-01T00:00:00Z", priority=1)) == "b"


def test_the_older_serves_at_equal_priority() -> None:
    """A new policy never takes workloads from one that serves them."""
    old = _policy("z", SUPPORT, "2026-01-01T00:00:00Z")
    assert _serving(SUPPORT, old, _policy("a", SUPPORT, "2026-02-01T00:00:00Z")) == "z"


def test_the_name_decides_where_nothing_else_does() -> None:
    """Files have no time of creation; the order is total all the same."""
    assert _serving(SUPPORT, _policy("b", SUPPORT), _policy("a", SUPPORT)) == "a"


def test_labels_and_namespace_must_match() -> None:
    """No selector selects the whole namespace; a label more or another namespace selects nobody."""
    policy = _policy("a", {"app": "support", "team": "x"})
    assert _serving(SUPPORT, policy) is None
    assert _serving({**SUPPORT, "team": "x", "more": "y"}, policy) == "a"
    assert _serving({}, _policy("b")) == "b"
    assert serving_policy(Snapshot.of([_policy("b")]), "other", {}) is None


@pytest.mark.parametrize(
    ("loser", "winner", "severity"),
    [
        (_policy("b", SUPPORT), _policy("a", SUPPORT), "error"),
        (_policy("b", SUPPORT), _policy("a"), "error"),
        (_policy("b"), _policy("a", SUPPORT), "warning"),
        (_policy("b"), _policy("a", SUPPORT, priority=1), None),
        (_policy("b", {"app": "other"}), _policy("a", SUPPORT), None),
    ],
    ids=["same labels", "all by the winner", "some by the winner", "an exception", "disjoint"],
)
def test_the_loser_is_told(
    loser: RoutingPolicy, winner: RoutingPolicy, severity: str | None
) -> None:
    """Losing all is an error, losing some by accident a warning, an exception nothing."""
    problems = [
        problem
        for problem in compile(Snapshot.of([loser, winner])).problems
        if problem.code is ProblemCode.CONFLICTED
    ]
    assert [problem.severity for problem in problems] == ([severity] if severity else [])
    assert all(problem.ref == loser.ref for problem in problems)


def test_only_the_chosen_providers_are_simulated() -> None:
    """`simulate` leaves the rest of the world as it is, and the original snapshot untouched."""
    claude = {
        "type": "OpenAICompatible",
        "model": "claude-3-5-sonnet-20241022",
        "baseURL": "https://api.anthropic.com/v1",
    }
    pool = make.parsed(make.pool(make.hosted("a"), make.hosted("b", provider=claude)))
    real = Snapshot.of([pool, _policy("p")])
    urls = {"openai": "http://127.0.0.1:1/v1", "anthropic": "http://127.0.0.1:2/v1"}

    def simulated(snapshot: Snapshot) -> dict[str, bool]:
        (table,) = compile(snapshot).tables.values()
        return {model.name: model.provider.simulated for model in table.table.models}

    assert simulated(simulate(real, urls, {"openai"})) == {"main/a": True, "main/b": False}
    assert simulated(simulate(real, urls, {"nobody"})) == {"main/a": False, "main/b": False}
    assert simulated(real) == {"main/a": False, "main/b": False}


def test_dependents_follow_pools_and_namespaces() -> None:
    """A pool touches the policies that name it, a Budget its namespace, a platform's any."""
    pool, budget = make.parsed(make.pool()), make.parsed(make.budget())
    own = _policy("own")
    other = make.parsed(make.policy(name="other", namespace="prod"))
    snapshot = Snapshot.of([pool, budget, own, other], platform_namespaces=["platform"])
    assert snapshot.dependents(pool.ref) == {ObjectName("demo", "own")}
    assert snapshot.dependents(budget.ref) == {ObjectName("demo", "own")}
    assert snapshot.dependents(other.ref) == {ObjectName("prod", "other")}
    gone = make.parsed(make.budget(namespace="platform"))
    assert snapshot.dependents(gone.ref) == snapshot.policies.keys()


def test_a_policy_with_a_gateway_serves_no_workload() -> None:
    """Neither does it take any from others, nor is it told that others take some."""
    document = make.policy(name="entry", target={"gateway": {"replicas": 2}}, priority=9)
    document["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    entry = make.parsed(document)
    assert isinstance(entry, RoutingPolicy)
    plain = _policy("plain", None, "2026-01-01T00:00:00Z")
    assert _serving(SUPPORT, entry) is None
    assert _serving(SUPPORT, entry, plain) == "plain"
    assert target_of(entry) == {
        "gateway": "policy/entry",
        "labels": {},
        "order": [-9, "2020-01-01T00:00:00Z", "entry"],
    }
    codes = {problem.code for problem in compile(Snapshot.of((entry, plain))).problems}
    assert ProblemCode.CONFLICTED not in codes
