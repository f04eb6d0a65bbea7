"""A policy's conditions as a function of its pods, their sidecars and the hub."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.compile import CompiledTable
from pointsman_operator.controller.findings import Finding
from pointsman_operator.controller.observed import Pod, Sidecar
from pointsman_operator.controller.truth_policy import (
    PolicyView,
    Trouble,
    next_look,
    policy_counts,
    policy_findings,
)
from pointsman_operator.kube.reasons import Reason
from support.resources import hosted, policy, pool, rule
from support.seen import NOW, pod, sidecar, world

SECRET = "pointsman-credentials/openai"


@pytest.fixture(scope="module")
def table() -> CompiledTable:
    """A table with one model that needs a key."""
    model = hosted()
    name, key = SECRET.split("/")
    model["provider"]["credential"] = {"secretRef": {"name": name, "key": key}}
    return world(pool(model), policy(rule())).compiled(ObjectName("demo", "support"))


def view(*pods: Pod, sidecars: tuple[Sidecar, ...] = (), label: str = "") -> PolicyView:
    """What is seen; the hub answers."""
    held = {it.uid: it for it in sidecars}
    return PolicyView(pods, label, held, hub="", trouble=None, now=NOW)


def judged(table: CompiledTable, seen: PolicyView, kind: str) -> Finding:
    """One of the findings."""
    return next(it for it in policy_findings(table, seen) if it.type == kind)


def said(table: CompiledTable, seen: PolicyView, kind: str) -> tuple[str, Reason]:
    """Its status and reason."""
    found = judged(table, seen, kind)
    return found.status, found.reason


def test_programmed_by_reports(table: CompiledTable) -> None:
    """Every injected pod's sidecar runs the table: True, and the figures say so."""
    seen = view(pod("a"), sidecars=(sidecar("a", table.digest),))
    assert said(table, seen, "Programmed") == ("True", Reason.PROGRAMMED)
    assert policy_counts(table, seen) == {"pods": 1, "injected": "1/1", "programmed": "1/1"}


@pytest.mark.parametrize(
    ("sidecars", "reason"),
    [
        ((), Reason.SIDECAR_DISCONNECTED),
        ((sidecar("b", "sha256:old"),), Reason.UPDATING),
        ((sidecar("b", "sha256:old", connected=False),), Reason.SIDECAR_DISCONNECTED),
    ],
)
def test_one_that_lags_is_enough(
    table: CompiledTable, sidecars: tuple[Sidecar, ...], reason: Reason
) -> None:
    """Of two pods one runs the table and one does not: False, with the pod's name."""
    seen = view(pod("a"), pod("b"), sidecars=(sidecar("a", table.digest), *sidecars))
    found = judged(table, seen, "Programmed")
    assert (found.status, found.reason) == ("False", reason)
    assert ": b;" in found.message


@pytest.mark.parametrize(
    ("why", "reason"),
    [("SidecarOutdated", Reason.SIDECAR_OUTDATED), ("BadTable: x", Reason.TABLE_REJECTED)],
)
def test_a_refusal_is_told_with_its_reason(table: CompiledTable, why: str, reason: Reason) -> None:
    """A sidecar that refuses this very table; one that refused another merely lags."""
    rejected = {"digest": table.digest, "reason": why}
    seen = view(pod("a"), sidecars=(sidecar("a", "sha256:old", rejected=rejected),))
    assert said(table, seen, "Programmed") == ("False", reason)
    other = view(pod("a"), sidecars=(sidecar("a", "sha256:old",
                                             rejected=rejected | {"digest": "x"}),))  # fmt: skip
    assert said(table, other, "Programmed") == ("False", Reason.UPDATING)


def test_where_nobody_can_report(table: CompiledTable) -> None:
    """Without pods True, without routers or without a hub Unknown: none of it holds up Ready."""
    assert said(table, view(), "Programmed") == ("True", Reason.NO_PODS)
    bare = view(pod("a", injected=False))
    assert said(table, bare, "Programmed") == ("Unknown", Reason.NO_REPORTER)
    away = replace(view(pod("a")), hub="no route to host")
    assert said(table, away, "Programmed") == ("Unknown", Reason.HUB_UNREACHABLE)


def test_trouble_with_the_table_comes_first(table: CompiledTable) -> None:
    """What keeps a table from being published is told before what sidecars run."""
    trouble = Trouble(Reason.TOO_LARGE, "70 bytes too large")
    seen = replace(view(), trouble=trouble)
    assert said(table, seen, "Programmed") == ("False", Reason.TOO_LARGE)


def test_a_young_pod_is_starting(table: CompiledTable) -> None:
    """A pod that has just been made counts neither way, and is looked at when its time is up."""
    young = pod("new", created="2026-11-22T17:52:20Z")
    seen = view(pod("a"), young, sidecars=(sidecar("a", table.digest),))
    assert said(table, seen, "Programmed") == ("True", Reason.PROGRAMMED)
    assert next_look(seen) == pytest.approx(60.0)
    alone = view(young)
    assert said(table, alone, "Programmed") == ("Unknown", Reason.NO_REPORTER)
    later = replace(seen, now=NOW + 61)
    assert said(table, later, "Programmed") == ("False", Reason.SIDECAR_DISCONNECTED)
    assert next_look(later) is None


def test_injection_that_is_missing(table: CompiledTable) -> None:
    """Pods that ask, by their label or their namespace's, and have no router."""
    bare = pod("a", injected=False)
    assert said(table, view(bare), "Injected") == ("False", Reason.INJECTION_MISSING)
    silent = replace(bare, asked=None)
    assert said(table, view(silent), "Injected") == ("True", Reason.NO_PODS)
    for label in ("enabled", "required"):
        seen = view(silent, label=label)
        assert said(table, seen, "Injected") == ("False", Reason.INJECTION_MISSING)
    declined = view(replace(bare, asked=False), label="required")
    assert said(table, declined, "Injected") == ("True", Reason.NO_PODS)


def test_what_the_injector_marked_is_told(table: CompiledTable) -> None:
    """An obstacle, an own base URL, an `envFrom`: each has its reason and names the pod."""
    obstacle = json.dumps({"reason": "HostNetwork", "message": "shares the node's loopback"})
    refused = view(pod("a", injected=False, not_injected=obstacle))
    found = judged(table, refused, "Injected")
    assert (found.status, found.reason) == ("False", Reason.NOT_INJECTABLE)
    assert "a: HostNetwork: shares the node's loopback" in found.message
    conflict = json.dumps({"conflicts": {"app": ["OPENAI_BASE_URL"]}})
    found = judged(table, view(pod("b", status=conflict)), "Injected")
    assert found.reason is Reason.ENV_CONFLICT
    assert "app sets OPENAI_BASE_URL" in found.message
    hidden = json.dumps({"undetermined": ["app"]})
    assert said(table, view(pod("c", status=hidden)), "Injected") == (
        "False",
        Reason.ENV_UNDETERMINED,
    )


def test_marks_that_are_no_json_are_ignored() -> None:
    """Anybody can write an annotation: nonsense neither raises nor counts."""
    found = pod("a", status="{", not_injected="[1]")
    assert (found.conflicts, found.obstacle) == ("", "")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("missing", Reason.SECRET_MISSING),
        ("host_not_allowed", Reason.HOST_NOT_ALLOWED),
        ("ok", Reason.RESOLVED),
    ],
)
def test_keys_by_reports(table: CompiledTable, state: str, reason: Reason) -> None:
    """What a sidecar says of a key that the table names; of others it may say what it likes."""
    told = {SECRET: state, "other/key": "missing"}
    seen = view(pod("a"), sidecars=(sidecar("a", table.digest, credentials=told),))
    assert said(table, seen, "ResolvedRefs")[1] is reason


def test_long_lists_of_pods_are_cut(table: CompiledTable) -> None:
    """A message names five pods and counts the rest."""
    pods = [pod(f"p{number}", injected=False) for number in range(9)]
    message = judged(table, view(*pods), "Injected").message
    assert "p0, p1, p2, p3, p4 and 4 more" in message
