"""A Budget's conditions and figures as a function of the hub's accounts."""

from __future__ import annotations

from typing import Any

from pointsman_operator.api.budget import Budget
from pointsman_operator.controller.observed import Account, Sidecar
from pointsman_operator.controller.truth_budget import BudgetView, budget_figures, budget_findings
from pointsman_operator.kube.reasons import Reason
from support.resources import budget, parsed
from support.seen import account, sidecar

DOLLAR = 10**12
STEPS = [{"percent": 50, "action": "Notify"}, {"percent": 80, "action": "Downgrade", "maxTier": 1}]


def made(**spec: Any) -> Budget:
    """A Budget of five dollars a day."""
    found = parsed(budget(**spec))
    assert isinstance(found, Budget)
    return found


def view(held: Account | None, *reports: Sidecar, hub: str = "", bound: bool = True) -> BudgetView:
    """What is seen of it."""
    return BudgetView({"day": held} if held else {}, bound, reports, hub)


def said(own: Budget, seen: BudgetView) -> dict[str, tuple[str, Reason]]:
    """Status and reason by condition."""
    return {it.type: (it.status, it.reason) for it in budget_findings(own, seen)}


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
    seen = said(made(), view(None, bound=False))
    assert seen["Enforced"] == ("Unknown", Reason.NOT_BOUND)
