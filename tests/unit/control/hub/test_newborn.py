"""A ledger that was just made says nothing of Budgets whose table has not come yet."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pointsman_operator.hub import limits
from pointsman_operator.hub.newborn import Newborn
from pointsman_operator.hub.tables import Tables, parse_fence
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.messages import SyncRequest
from pointsman_operator.ledger.sqlite import SqliteStore
from support.hub_process import ACCOUNT, FENCE, HubProcess, budget, hub_process, route_table
from support.ledger_world import HandClock

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


def test_what_is_kept_for_the_first_minute_goes_with_it(tmp_path: Path) -> None:
    """Names that tables have declared matter for so long alone; an older ledger never has any."""
    first, again = (asyncio.run(_kept(tmp_path / "hub.db")) for _ in range(2))
    assert first == [2, 2, 0, 0]
    assert again == [0, 0, 0, 0]


async def _kept(file: Path) -> list[int]:
    """How many it keeps: with two, when one is gone, after the minute, with a new one then."""
    clock = HandClock()
    database = await Database.open(SqliteStore(file), clock)
    tables = Tables(database)
    await tables.load()
    newborn, kept = Newborn(database, tables), []
    fence = parse_fence(FENCE["x-pointsman-fence"])

    async def put(*budgets: dict[str, object]) -> None:
        await tables.put(("demo", "support"), route_table(*budgets), fence)
        newborn.heard("demo")
        kept.append(len(newborn))

    await put(budget(10), budget(10, name="other"))
    await put(budget(10))
    clock.time_ms += limits.TABLES_WITHIN_MS
    request = SyncRequest.model_validate({"sidecar": "a", "boot": "1", "seq": 1, "wants": [WANT]})
    newborn.check(request, "nobody")
    kept.append(len(newborn))
    await put(budget(10), budget(10, name="third"))
    await database.close()
    return kept
