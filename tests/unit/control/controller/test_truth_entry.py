"""The status of a policy with its own gateway, as a function of what the gateway's pods report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.compile import CompiledTable
from pointsman_operator.controller.truth_entry import EntryView, entry_facts, entry_findings
from pointsman_operator.controller.truth_policy import Trouble
from pointsman_operator.kube.reasons import Reason
from support.resources import policy, pool, rule
from support.seen import sidecar, world

NAME = ObjectName("demo", "entry")
ENTRY = policy(rule(), name="entry", target={"gateway": {"replicas": 2}})


@pytest.fixture(scope="module")
def table() -> CompiledTable:
    """The policy's table."""
    return world(pool(), ENTRY).compiled(NAME)


def said(table: CompiledTable, seen: EntryView) -> tuple[str, Reason]:
    """What `Programmed` says."""
    found = next(it for it in entry_findings(table, seen) if it.type == "Programmed")
    return found.status, found.reason


def test_programmed_is_what_gateway_pods_run(table: CompiledTable) -> None:
    """None, an old table, a refused one, this one: each has its reason, and figures to it."""
    none = EntryView(NAME, 2, (), hub="", trouble=None)
    assert said(table, none) == ("False", Reason.ENTRY_NOT_READY)
    here = sidecar("a", table.digest)
    one = replace(none, reports=(here,))
    assert said(table, one) == ("True", Reason.PROGRAMMED)
    facts = entry_facts(table, one)
    wanted = {"url": "https://pointsman-entry-entry.demo.svc/v1", "ready": "1/2"}
    assert (facts["gateway"], facts["programmed"]) == (wanted, "1/2")
    behind = replace(none, reports=(here, sidecar("b", "sha256:old")))
    assert said(table, behind) == ("False", Reason.UPDATING)
    waiting = replace(none, reports=(sidecar("c", table.digest, waiting="its certificate"),))
    assert said(table, waiting) == ("False", Reason.ENTRY_NOT_READY)
    assert entry_facts(table, waiting)["gateway"]["ready"] == "0/2"
    rejected = {"rejected": {"digest": table.digest, "reason": "Invalid"}}
    refusing = replace(none, reports=(here, sidecar("b", "sha256:old", **rejected)))
    assert said(table, refusing) == ("False", Reason.TABLE_REJECTED)


def test_what_hides_the_gateway_comes_first(table: CompiledTable) -> None:
    """Trouble at publishing, then a hub that is away; where none may run there is no URL."""
    seen = EntryView(NAME, 2, (), hub="away", trouble=None)
    assert said(table, seen) == ("Unknown", Reason.HUB_UNREACHABLE)
    troubled = replace(seen, trouble=Trouble(Reason.HUB_REFUSED, "no"))
    assert said(table, troubled) == ("False", Reason.HUB_REFUSED)
    assert "gateway" not in entry_facts(table, replace(seen, allowed=False))


def test_its_namespaces_pods_are_not_its_own() -> None:
    """A pod of the namespace is served by the policy that selects it, never by one for outside."""
    held = world(pool(), ENTRY, policy(rule()))
    assert held.served(held.snapshot.policies[NAME]) == []
