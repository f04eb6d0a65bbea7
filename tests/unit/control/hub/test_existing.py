"""Budgets that exist and that no table holds: their money is shown, and none is granted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.hub_process import ACCOUNT, FENCE, HubProcess, budget, hub_process, route_table

# Whole processes start here, on a machine that may be busy with others.
pytestmark = pytest.mark.timeout(240)

OTHER = "demo/other/day"
WANT = {"account": ACCOUNT, "need": 10, "prefer": 10}


def tell(hub: HubProcess, *budgets: dict[str, Any], **fence: str) -> httpx.Response:
    """Which Budgets there are, as the controller says it."""
    content = json.dumps({"budgets": budgets}).encode()
    return hub.http.put("/v1/budgets", content=content, headers=FENCE | fence)


def rows(hub: HubProcess) -> dict[str, dict[str, Any]]:
    """What is shown, by account."""
    return {row["account"]: row for row in hub.http.get("/v1/budgets").json()}


def spend(hub: HubProcess, amount: int) -> None:
    """Take a lease, spend so much of it and give it back."""
    (lease,) = hub.sync(wants=[WANT | {"need": amount, "prefer": amount}])["leases"]
    report = {"id": lease["id"], "account": ACCOUNT, "granted": amount, "spent": amount}
    hub.sync(seq=2, leases=[report | {"closed": True}])


def test_what_was_spent_is_shown_until_the_budget_is_gone(tmp_path: Path) -> None:
    """Its last policy is deleted, the hub starts again; only the controller ends it."""
    with hub_process(tmp_path) as hub:
        hub.put_table(route_table(budget(1000)))
        spend(hub, 30)
        assert hub.http.delete("/v1/tables/demo/support", headers=FENCE).status_code == 200
        assert ACCOUNT not in rows(hub)
        assert tell(hub, budget(900), budget(5, name="other")).json() == {"accounts": 2}
        shown = rows(hub)
        row = shown[ACCOUNT]
        money = {name: row[name] for name in ("limit", "settled", "available", "leased")}
        assert money == {"limit": 900, "settled": 30, "available": 870, "leased": 0}
        assert (row["current"], row["declared"]) == (True, False)
        assert (shown[OTHER]["settled"], shown[OTHER]["available"]) == (0, 5)
        (denied,) = hub.sync(wants=[WANT])["denied"]
        assert denied["code"] == "unknown_account", "a table grants, nothing else"
        hub.stop()
        hub.start()
        assert tell(hub, budget(900)).status_code == 200
        assert {name: it["settled"] for name, it in rows(hub).items()} == {ACCOUNT: 30}
        assert tell(hub).json() == {"accounts": 0}
        assert rows(hub) == {}


def test_a_table_says_what_the_limit_is(hub: HubProcess) -> None:
    """What is granted from decides; edited, the two differ for a moment."""
    hub.put_table(route_table(budget(1000, name="both")))
    assert tell(hub, budget(900, name="both")).status_code == 200
    row = rows(hub)["demo/both/day"]
    assert (row["limit"], row["declared"]) == (1000, True)
    hub.put_table(route_table())
    assert rows(hub)["demo/both/day"]["limit"] == 900
    tell(hub)


def test_what_is_no_list_of_budgets_is_refused_whole(hub: HubProcess) -> None:
    """400 that names the member; and nobody but the leader says what there is."""
    tell(hub, budget(7, name="kept"))
    for content in (b"{", b"[]", json.dumps({"budgets": [budget(-1)]}).encode()):
        answer = hub.http.put("/v1/budgets", content=content, headers=FENCE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_budgets")
    assert "budgets.0.limits.0.amount" in answer.json()["error"]["message"]
    hub.put_table(route_table())
    old = tell(hub, **{"x-pointsman-fence": "installation,0,before"})
    assert (old.status_code, old.json()["error"]["code"]) == (409, "fenced")
    assert "demo/kept/day" in rows(hub)
    tell(hub)
