"""What is true of a Budget, from the hub's accounts and the sidecars' view of the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman_operator.api.budget import Budget, Threshold
from pointsman_operator.api.money import format_usd, picodollars
from pointsman_operator.controller.findings import Finding, finding, names
from pointsman_operator.controller.observed import Account, Pod, Sidecar
from pointsman_operator.controller.truth_policy import PolicyView
from pointsman_operator.kube.reasons import Reason

LEDGER_OK = ("", "ok")


@dataclass(frozen=True)
class BudgetView:
    """All that a Budget's status depends on beside its spec."""

    accounts: Mapping[str, Account]
    """By the limit's name; those that the hub keeps."""
    policies: Sequence[PolicyView]
    """Those whose table is to hold it."""
    digests: frozenset[str]
    """Of the tables that hold it as it is now."""
    settled: bool
    """Whether it was once in force, as it is now: pods that start afterwards find it there."""
    reports: Sequence[Sidecar]
    """Connected sidecars of the namespaces that it binds."""
    hub: str
    """Why the hub cannot be asked; empty: it answers."""


def budget_findings(budget: Budget, view: BudgetView) -> list[Finding]:
    """Enforced, LedgerAvailable, NearLimit, Exhausted."""
    found = [_ledger(view), _near(budget, view), _exhausted(budget, view)]
    against = _enforced(view)
    return [*found, against] if against else found


def budget_figures(budget: Budget, view: BudgetView) -> dict[str, Any]:
    """The status' money: each limit, the worst of them, what the thresholds do now."""
    rows = [
        _row(limit.name, view.accounts[limit.name])
        for limit in budget.spec.limits
        if limit.name in view.accounts
    ]
    reached = _reached(budget, view)
    figures: dict[str, Any] = {"limits": rows, "action": reached.action if reached else "None"}
    if rows:
        figures["worst"] = max(rows, key=lambda row: row["percent"])
    if _empty(budget, view):
        figures["action"] = "Block" if budget.spec.enforcement.mode == "Enforce" else "Notify"
    return figures


def accounts_told(budget: Budget, status: Mapping[str, Any]) -> dict[str, Account]:
    """The accounts as an earlier status told them, while the hub tells nothing."""
    exhausted = any(
        it["type"] == "Exhausted" and it["status"] == "True" for it in status.get("conditions", ())
    )
    worst = status.get("worst", {}).get("name")
    rows = {row["name"]: row for row in status.get("limits", ())}
    found: dict[str, Account] = {}
    for limit in budget.spec.limits:
        row = rows.get(limit.name)
        if row is None:
            continue
        amount, used = picodollars(limit.amount), picodollars(row["spent"])
        found[limit.name] = Account(
            limit=amount,
            used=used,
            leased=picodollars(row.get("leased", "0")),
            overrun=picodollars(row.get("maxOverspend", "0")),
            # Exhausted with something left: by a need above all of it.
            turned_away=max(0, amount - used) + 1 if exhausted and limit.name == worst else 0,
            resets_at=row["resetsAt"],
        )
    return found


def _row(name: str, account: Account) -> dict[str, Any]:
    return {
        "name": name,
        "spent": format_usd(account.used),
        "remaining": format_usd(max(0, account.limit - account.used)),
        "percent": _percent(account),
        "leased": format_usd(account.leased),
        "maxOverspend": format_usd(account.overrun),
        "resetsAt": account.resets_at,
    }


def _ledger(view: BudgetView) -> Finding:
    if view.hub:
        return finding("LedgerAvailable", "False", Reason.HUB_UNREACHABLE, view.hub)
    without = [it for it in view.reports if it.ledger not in LEDGER_OK]
    if without:
        text = f"{names(it.pod for it in without)}: {without[0].ledger}"
        return finding("LedgerAvailable", "False", Reason.LEDGER_UNAVAILABLE, text)
    return finding("LedgerAvailable", "True", Reason.LEDGER_AVAILABLE)


def _enforced(view: BudgetView) -> Finding | None:
    """What stands against it; None: the next call is counted."""
    if not view.policies:
        text = "no policy's table holds this Budget"
        return finding("Enforced", "Unknown", Reason.NOT_BOUND, text)
    if view.hub:
        return finding("Enforced", "Unknown", Reason.HUB_UNREACHABLE, view.hub)
    injected = [(seen, pod) for seen in view.policies for pod in seen.injected]
    without = {pod.name for seen, pod in injected if _lacks(view, seen, pod)}
    if without:
        text = f"not yet counted: {names(without)}"
        return finding("Enforced", "False", Reason.PROGRAMMING, text)
    if not injected and any(seen.pods for seen in view.policies):
        text = "none of the selected pods has a router"
        return finding("Enforced", "Unknown", Reason.NO_REPORTER, text)
    return None


def _lacks(view: BudgetView, seen: PolicyView, pod: Pod) -> bool:
    """Whether a pod's calls pass the Budget, or may: it starts, perhaps with an older table."""
    sidecar = seen.sidecars.get(pod.uid)
    if sidecar is not None and sidecar.connected and sidecar.digest:
        return sidecar.digest not in view.digests
    return not view.settled and (sidecar is None or sidecar.connected) and seen.young(pod)


def _near(budget: Budget, view: BudgetView) -> Finding:
    reached = _reached(budget, view)
    if reached is None:
        return finding("NearLimit", "False", Reason.BELOW_THRESHOLDS, "no threshold is reached")
    text = f"{reached.percent} % is reached: {reached.action}"
    return finding("NearLimit", "True", Reason.THRESHOLD_REACHED, text)


def _exhausted(budget: Budget, view: BudgetView) -> Finding:
    empty = _empty(budget, view)
    if not empty:
        return finding("Exhausted", "False", Reason.WITHIN_LIMIT, "there is money left")
    first = view.accounts[empty[0]]
    text = f"limit {names(empty)} is used up until {first.resets_at}"
    return finding("Exhausted", "True", Reason.LIMIT_REACHED, text)


def _reached(budget: Budget, view: BudgetView) -> Threshold | None:
    """The highest threshold that any account has crossed."""
    crossed = [
        threshold
        for threshold in budget.spec.thresholds
        if any(
            account.used * 100 >= threshold.percent * account.limit
            for account in view.accounts.values()
        )
    ]
    return max(crossed, key=lambda it: it.percent, default=None)


def _empty(budget: Budget, view: BudgetView) -> list[str]:
    """Limits of which nothing is left, or less than a call that was refused needs."""
    ceiling = min((t.percent for t in budget.spec.thresholds if t.action == "Block"), default=100)
    return sorted(
        name
        for name, account in view.accounts.items()
        if (left := account.limit * ceiling // 100 - account.used) <= 0
        or left < account.turned_away
    )


def _percent(account: Account) -> int:
    return account.used * 100 // max(1, account.limit)
