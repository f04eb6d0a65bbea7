"""A Budget's conditions and figures as a function of the hub's accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pointsman_operator.api.budget import Budget
from pointsman_operator.compile.status import conditions_of
from pointsman_operator.controller.findings import conditions
from pointsman_operator.controller.observed import Account, Pod, Sidecar
from pointsman_operator.controller.truth_budget import (
    BudgetView,
    accounts_told,
    budget_figures,
    budget_findings,
)
from pointsman_operator.controller.truth_policy import PolicyView
from pointsman_operator.kube.reasons import Reason
from support.resources import budget, parsed
from support.seen import NOW, account, pod, sidecar

DOLLAR = 10**12
WITH = "sha256:with"
STEPS = [{"percent": 50, "action": "Notify"}, {"percent": 80, "action": "Downgrade", "maxTier": 1}]


def made(**spec: Any) -> Budget:
    """A Budget of five dollars a day."""
    found = parsed(budget(**spec))
    assert isinstance(found, Budget)
    return found


def view(held: Account | None, *reports: Sidecar, hub: str = "", pods: Sequence[Pod] = (),
         settled: bool = False) -> BudgetView:  # fmt: skip
    """What is seen of it: its one policy's table is `WITH`."""
    seen = PolicyView(pods, "", {it.uid: it for it in reports}, hub, None, NOW)
    accounts = {"day": held} if held else {}
    return BudgetView(accounts, [seen], frozenset({WITH}), settled, reports, hub)


def said(own: Budget, seen: BudgetView) -> dict[str, tuple[str, Reason]]:
    """Status and reason by condition."""
    return {it.type: (it.status, it.reason) for it in budget_findings(own, seen)}


def ready(own: Budget, seen: BudgetView) -> tuple[str, str]:
    """The sum of it."""
    compiled = conditions_of(own, ())
    found = conditions(compiled, budget_findings(own, seen), (), 1, "2026-11-22T18:00:00Z")
    return next((it["status"], it["reason"]) for it in found if it["type"] == "Ready")


def test_figures_are_exact() -> None:
    """A picodollar spent is shown; what sidecars hold still remains."""
    seen = view(account(1, leased=3 * DOLLAR))
    (row,) = budget_figures(made(), seen)["limits"]
    assert row["spent"] == "0.000000000001"
    assert row["remaining"] == "4.999999999999"
    assert row["leased"] == "3"
    assert row["percent"] == 0


def test_thresholds_act_from_their_share_on() -> None:
    """One picodollar below the share nothing happens; at the share it does."""
    own = made(thresholds=STEPS)
    below = view(account(4 * DOLLAR - 1))
    assert budget_figures(own, below)["action"] == "Notify"
    reached = view(account(4 * DOLLAR))
    assert budget_figures(own, reached)["action"] == "Downgrade"
    assert said(own, reached)["NearLimit"] == ("True", Reason.THRESHOLD_REACHED)
    assert said(own, reached)["Exhausted"] == ("False", Reason.WITHIN_LIMIT)
    assert said(own, view(account(0)))["NearLimit"] == ("False", Reason.BELOW_THRESHOLDS)


def test_exhausted_at_the_limit_or_at_a_block() -> None:
    """At 100 %, at a Block below it, and where less is left than a refused call needs."""
    for own, held in (
        (made(), account(5 * DOLLAR)),
        (made(thresholds=[{"percent": 90, "action": "Block"}]), account(45 * DOLLAR // 10)),
        (made(), account(49 * DOLLAR // 10, turned_away=DOLLAR // 5)),
    ):
        assert said(own, view(held))["Exhausted"] == ("True", Reason.LIMIT_REACHED)
        assert budget_figures(own, view(held))["action"] == "Block"


def test_overspending_is_shown() -> None:
    """More used than the limit: nothing remains, and the overrun is told."""
    seen = view(account(51 * DOLLAR // 10, overrun=DOLLAR // 10))
    (row,) = budget_figures(made(), seen)["limits"]
    assert (row["remaining"], row["maxOverspend"], row["percent"]) == ("0", "0.1", 102)


def test_audit_says_that_nothing_is_refused() -> None:
    """Under Audit an exhausted Budget notifies, it does not block."""
    own = made(enforcement={"mode": "Audit"})
    assert budget_figures(own, view(account(5 * DOLLAR)))["action"] == "Notify"


def test_the_ledger_is_as_hub_and_sidecars_say() -> None:
    """The hub away, a sidecar without ledger, all well."""
    own = made()
    away = said(own, view(None, hub="refused"))
    assert away["LedgerAvailable"] == ("False", Reason.HUB_UNREACHABLE)
    silent = sidecar("a", ledger="no answer for 40 s")
    missing = said(own, view(account(0), silent))
    assert missing["LedgerAvailable"] == ("False", Reason.LEDGER_UNAVAILABLE)
    assert said(own, view(account(0)))["LedgerAvailable"][0] == "True"


def test_a_budget_that_no_table_holds_says_so() -> None:
    """Without a policy nothing is counted: Enforced is not True."""
    seen = said(made(), replace(view(None), policies=()))
    assert seen["Enforced"] == ("Unknown", Reason.NOT_BOUND)


def test_it_is_not_in_force_until_every_sidecar_has_it() -> None:
    """Of two sidecars one runs a table without it: its pod is named, and it holds up Ready."""
    pods = (pod("a"), pod("b"))
    behind = view(None, sidecar("a", WITH), sidecar("b", "sha256:old"), pods=pods)
    (found,) = (it for it in budget_findings(made(), behind) if it.type == "Enforced")
    assert (found.status, found.reason) == ("False", Reason.PROGRAMMING)
    assert "not yet counted: b;" in found.message
    assert ready(made(), behind) == ("False", "Programming")
    reached = view(None, sidecar("a", WITH), sidecar("b", WITH), pods=pods)
    assert "Enforced" not in said(made(), reached)
    assert ready(made(), reached) == ("True", "Ready")


def test_under_audit_ready_waits_as_well() -> None:
    """`Enforced` stays False by choice, which is no fault; Ready says that nothing is counted."""
    own = made(enforcement={"mode": "Audit"})
    pods = (pod("a"),)
    assert ready(own, view(None, sidecar("a", "sha256:old"), pods=pods))[1] == "Programming"
    assert ready(own, view(None, sidecar("a", WITH), pods=pods)) == ("True", "Ready")


def test_a_pod_that_starts_may_have_an_older_table() -> None:
    """Until it has spoken nobody knows; one that starts once it is in force finds it there."""
    young = pod("new", created="2026-11-22T17:52:20Z")
    for reports in ((), (sidecar("new", ""),)):
        seen = view(None, *reports, pods=(young,))
        assert said(made(), seen)["Enforced"] == ("False", Reason.PROGRAMMING)
        assert "Enforced" not in said(made(), replace(seen, settled=True))
    silent = view(None, pods=(pod("old"),))
    assert "Enforced" not in said(made(), silent)
    older = view(None, sidecar("new", "sha256:old"), pods=(young,), settled=True)
    assert said(made(), older)["Enforced"] == ("False", Reason.PROGRAMMING)


def test_where_nobody_can_say_whether_it_is_in_force() -> None:
    """Without a hub, and where no pod has a router: Unknown, which holds nothing up."""
    away = said(made(), view(None, hub="refused", pods=(pod("a"),)))
    assert away["Enforced"] == ("Unknown", Reason.HUB_UNREACHABLE)
    bare = view(None, pods=(pod("a", injected=False),))
    assert said(made(), bare)["Enforced"] == ("Unknown", Reason.NO_REPORTER)
    assert "Enforced" not in said(made(), view(None))


def test_what_was_told_last_is_said_on_while_the_hub_tells_nothing() -> None:
    """Money, thresholds and the end of a limit outlive a controller that has not asked yet."""
    steps = [{"percent": 90, "action": "Block"}]
    for own, held in (
        (made(thresholds=STEPS), account(41 * DOLLAR // 10, leased=DOLLAR)),
        (made(thresholds=steps), account(45 * DOLLAR // 10)),
        (made(), account(51 * DOLLAR // 10, overrun=DOLLAR // 10)),
        (made(), account(49 * DOLLAR // 10, turned_away=DOLLAR // 5)),
    ):
        seen = view(held)
        status = {"conditions": [], **budget_figures(own, seen)}
        status["conditions"] = conditions(
            conditions_of(own, ()), budget_findings(own, seen), (), 1, "2026-11-22T18:00:00Z"
        )
        again = replace(seen, accounts=accounts_told(own, status))
        assert budget_figures(own, again) == budget_figures(own, seen)
        assert said(own, again) == said(own, seen)
    assert accounts_told(made(), {}) == {}
