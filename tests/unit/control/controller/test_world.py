"""What an event touches, what is compiled again, who serves whom."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from pointsman_operator.api.budget import Budget
from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.controller import limits
from pointsman_operator.controller.fleet import FleetNews
from pointsman_operator.controller.held import ref_of
from pointsman_operator.controller.observed import Sidecar
from pointsman_operator.controller.world import World
from support.resources import budget, policy, pool, rule
from support.seen import pod, sidecar, stored, world

SUPPORT = ObjectName("demo", "support")
REF = ObjectRef("RoutingPolicy", "demo", "support")


def test_a_status_of_our_own_touches_nothing_else() -> None:
    """A new resourceVersion with the same spec is looked at, and nothing is compiled again."""
    held = world(pool(), policy(rule()))
    before = held.compiled(SUPPORT)
    assert held.take(stored(policy(rule()), 9)) == {REF}
    assert held.compiled(SUPPORT) is before


def test_old_news_is_no_news() -> None:
    """A list that is older than what a watch has told changes nothing."""
    held = world(pool(), policy(rule()))
    assert held.take(stored(policy(rule("new")), 9))
    assert held.take(stored(policy(rule()), 3)) == frozenset()
    assert held.compiled(SUPPORT).table.rules[0].name == "new"


def test_a_pool_touches_the_policies_that_use_it() -> None:
    """An edit of a pool compiles again what uses it, and nothing else."""
    other = policy(rule("x", "second/mini"), name="other", pools=[{"name": "second"}])
    held = world(pool(), pool(name="second"), policy(rule()), other)
    kept = held.compiled(ObjectName("demo", "other"))
    changed = pool(allowedNamespaces={"from": "All"})
    touched = held.take(stored(changed, 9))
    assert REF in touched
    assert ObjectRef("RoutingPolicy", "demo", "other") not in touched
    assert held.compiled(ObjectName("demo", "other")) is kept


def test_tables_of_late_are_known_by_the_budgets_that_they_hold() -> None:
    """An edit of the policy leaves the Budget in force; one of the Budget does not."""
    held = world(pool(), policy(rule()), budget())
    own = ObjectRef("Budget", "demo", "team")
    first = held.compiled(SUPPORT).digest

    def holding() -> frozenset[str]:
        found = held.held[own].resource
        assert isinstance(found, Budget)
        return held.digests_holding(found)

    assert holding() == {first}
    held.take(stored(policy(rule("new")), 9))
    second = held.compiled(SUPPORT).digest
    assert holding() == {first, second}
    held.take(stored(budget(amount="7"), 10))
    assert holding() == {held.compiled(SUPPORT).digest}
    for version in range(11, 11 + 2 * limits.TABLES_REMEMBERED):
        held.take(stored(policy(rule(f"r{version}")), version))
        held.compiled(SUPPORT)
    assert len(holding()) == limits.TABLES_REMEMBERED


def test_a_deleted_budget_touches_the_policies_that_it_bound() -> None:
    """Tables lose a Budget that is gone."""
    held = world(pool(), policy(rule()), budget())
    assert len(held.compiled(SUPPORT).table.budgets) == 1
    assert REF in held.drop(ObjectRef("Budget", "demo", "team"))
    assert held.compiled(SUPPORT).table.budgets == ()


def test_what_the_models_refuse_keeps_out_of_the_snapshot() -> None:
    """A CRD of another version let something through: it is a problem, and others go on."""
    strange = deepcopy(policy(rule(), name="strange"))
    strange["spec"]["fromTheFuture"] = True
    held = world(pool(), policy(rule()), strange)
    assert set(held.snapshot.policies) == {SUPPORT}
    own = held.held[ObjectRef("RoutingPolicy", "demo", "strange")]
    assert own.resource is None
    assert [it.code.value for it in own.problems] == ["UnknownField"]


def test_a_pod_is_served_by_the_first_that_selects_it() -> None:
    """Priority, then age, then name: the same order as hub and sidecar."""
    narrow = policy(
        rule(), name="narrow", priority=5, target={"selector": {"matchLabels": {"app": "a"}}}
    )
    held = world(pool(), policy(rule()), narrow)
    one, two = pod("one"), pod("two")
    held.take_pod(("demo", "one"), one)
    marked = {**two.labels, "app": "a"}
    held.take_pod(("demo", "two"), replace(two, labels=marked))
    policies: dict[ObjectName, RoutingPolicy] = dict(held.snapshot.policies)
    assert [it.name for it in held.served(policies[SUPPORT])] == ["one"]
    assert [it.name for it in held.served(policies[ObjectName("demo", "narrow")])] == ["two"]


def test_only_changes_in_the_fleet_touch_a_namespace() -> None:
    """Another time of the last report is no change."""
    held = world()
    assert held.take_fleet(whole(sidecar("a", "x"))) == {"demo"}
    later = sidecar("a", "x", seen_at="2026-11-22T19:00:00Z")
    assert held.take_fleet(whole(later)) == frozenset()
    assert held.take_fleet(whole(sidecar("a", "y"))) == {"demo"}
    assert held.take_fleet(whole()) == {"demo"}


def whole(*sidecars: Sidecar) -> FleetNews:
    """An answer that tells of all there are."""
    return FleetNews(True, sidecars, ())


def test_a_snapshot_that_follows_single_changes_is_the_one_that_is_made_anew() -> None:
    """However objects come, change and go: the same objects, in the same order (I1)."""
    documents = [pool(name=name) for name in ("b", "a")]
    documents += [policy(rule(), name=name) for name in ("two", "one", "three")]
    documents += [budget(name=name) for name in ("day", "all")]
    held = world()
    version = 0
    for round_ in range(3):
        for document in documents:
            version += 1
            changed = stored(document, version)
            if round_ == 1:
                changed["metadata"]["generation"] = 2
            if round_ == 2:
                held.drop(ref_of(changed))
            if round_ != 2 or document["metadata"]["name"] in ("a", "one", "day"):
                held.take(changed)
            anew = World(hub="")
            anew.held.update(held.held)
            assert list(held.snapshot.objects()) == list(anew.snapshot.objects())
            assert held.snapshot == anew.snapshot
    assert held.policy_names("demo") == {"one"}


def test_what_is_taken_at_once_is_what_is_taken_one_by_one() -> None:
    """A start asks nobody what each object touches; the world is the same."""
    documents = [pool(), policy(rule()), policy(rule(), name="other"), budget()]
    at_once = World(hub="")
    at_once.fill(stored(document, version) for version, document in enumerate(documents, 1))
    assert at_once.held == world(*documents).held
    assert at_once.snapshot == world(*documents).snapshot
    assert at_once.policy_names("demo") == {"support", "other"}
