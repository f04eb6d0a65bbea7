"""A ledger that was just made says nothing of Budgets whose table has not come yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.hub_process import ACCOUNT, FENCE, HubProcess, budget, hub_process, route_table

WANT = {"account": ACCOUNT, "need": 10, "prefer": 10}
REPORT = {"id": "l-1", "account": ACCOUNT, "granted": 10, "spent": 7, "closed": True}


def sent(hub: HubProcess, **more: object) -> tuple[int, str]:
    """A sync's status, and what is the matter."""
    body = {"sidecar": "a", "boot": "1", "seq": 1, **more}
    answer = hub.http.post("/v1/ledger/sync", json=body)
    return answer.status_code, answer.text


@pytest.mark.parametrize("more", [{"wants": [WANT]}, {"leases": [REPORT]}])
def test_a_new_ledger_waits_for_the_table(tmp_path: Path, more: dict[str, object]) -> None:
    """Holders of the one before go on as if it were away; then it books and grants."""
    with hub_process(tmp_path) as hub:
        status, said = sent(hub, **more)
        assert (status, ACCOUNT in said) == (503, True)
        assert sent(hub)[0] == 200, "who names no Budget is answered"
        hub.put_table(route_table(budget(1000)))
        assert sent(hub, **more)[0] == 200
        assert hub.http.delete("/v1/tables/demo/support", headers=FENCE).status_code == 200
        assert sent(hub, **more)[0] == 200, "it was declared, and is gone now"


def test_a_ledger_that_was_there_answers_at_once(tmp_path: Path) -> None:
    """It knows which Budgets there are: this one is none of them."""
    with hub_process(tmp_path) as hub:
        assert hub.stop() == 0
        hub.start()
        (denied,) = hub.sync(wants=[WANT])["denied"]
        assert denied["code"] == "unknown_account"
