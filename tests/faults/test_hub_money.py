"""The ledger as a real process: killed at any moment, asked twice, asked by fifty at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.hub_process import (
    ACCOUNT,
    HubProcess,
    budget,
    hub_process,
    on_postgresql,
    route_table,
)
from support.postgresql_server import PostgresqlServer

# Whole processes start here, on a machine that may be busy with others.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CENT = 10**10


@pytest.fixture(params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HubProcess]:
    """A hub with one dollar a day, on each store."""
    with ExitStack() as stack:
        arguments = []
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql")
            schema = stack.enter_context(server.schema())
            arguments = on_postgresql(server.url(schema), tmp_path)
        running = stack.enter_context(hub_process(tmp_path, *arguments))
        running.put_table(route_table(budget(100 * CENT)))
        yield running


def want(need: int, prefer: int | None = None, have: int = 0) -> dict[str, Any]:
    """A want on the account."""
    return {"account": ACCOUNT, "need": need, "prefer": prefer or need, "have": have}


def test_what_was_answered_survives_sigkill(hub: HubProcess) -> None:
    """Grants, reports, usage and the table are on disk before they are answered."""
    usage = {"model": "m", "requests": 1, "input_tokens": 5, "output_tokens": 7, "cost": 3 * CENT}
    lease = hub.sync(wants=[want(20 * CENT)])["leases"][0]
    spent = {"id": lease["id"], "account": ACCOUNT, "granted": 20 * CENT, "spent": 3 * CENT}
    hub.sync(leases=[spent], usage=[usage])
    before = hub.balance()
    hub.kill()
    hub.start()
    assert hub.balance() == before
    assert (before["settled"], before["leased"]) == (3 * CENT, 17 * CENT)
    assert hub.sync(leases=[spent], usage=[usage])["leases"][0]["id"] == lease["id"]
    total = hub.http.get("/v1/spend").json()["total"]
    assert total == {**usage_of(usage), "unconfirmed": 0}


def usage_of(row: dict[str, Any]) -> dict[str, Any]:
    """A usage row's counters."""
    return {name: value for name, value in row.items() if name != "model"}


def test_a_lost_answer_grants_nothing_twice(hub: HubProcess) -> None:
    """The hub dies after the commit; the holder repeats its request and gets the same lease."""
    request: dict[str, Any] = {"wants": [want(CENT, 5 * CENT)]}
    first = hub.sync(**request)["leases"]
    hub.kill()
    hub.start()
    again = hub.sync(**request)["leases"]
    assert [(le["id"], le["granted"]) for le in again] == [
        (le["id"], le["granted"]) for le in first
    ]
    assert hub.balance()["leased"] == 5 * CENT


@dataclass
class Spenders:
    """Eight holders that report ever more, and how often the hub has answered."""

    spent: list[int] = field(default_factory=lambda: [0] * 8)
    answers: int = 0
    enough: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: httpx.AsyncClient, n: int) -> None:
        """Report a hundredth of a cent more each time, until the hub is gone."""
        while True:
            self.spent[n] += CENT // 100
            mine = {"id": f"u-{n}", "account": ACCOUNT, "spent": self.spent[n]}
            body = {"sidecar": f"s{n}", "boot": "1", "seq": 1, "leases": [mine]}
            try:
                await client.post("/v1/ledger/sync", json=body | {"wants": [want(0, CENT)]})
            except httpx.TransportError:
                return
            self.answers += 1
            if self.answers >= self.enough:
                self.reached.set()


async def test_kills_within_requests_lose_and_invent_nothing(hub: HubProcess) -> None:
    """Eight holders spend while the hub is killed again and again; their own sums are the judge."""
    spenders = Spenders()
    for _ in range(3):
        spenders.enough = spenders.answers + 50
        spenders.reached.clear()
        async with httpx.AsyncClient(base_url=hub.url, headers=hub.headers, timeout=10) as client:
            running = [asyncio.create_task(spenders.run(client, n)) for n in range(8)]
            await asyncio.wait_for(spenders.reached.wait(), timeout=60)
            hub.kill()
            await asyncio.gather(*running)
        hub.start()
        balance = hub.balance()
        booked = balance["settled"] + balance["unconfirmed"] + balance["leased"]
        assert booked + balance["available"] == balance["limit"] + balance["overrun"]
        assert sum(spenders.spent) - 8 * CENT // 100 <= balance["settled"] <= sum(spenders.spent)
    for n, amount in enumerate(spenders.spent):
        mine = {"id": f"u-{n}", "account": ACCOUNT, "spent": amount, "closed": True}
        hub.sync(f"s{n}", leases=[mine], final=True)
    assert hub.balance()["settled"] == sum(spenders.spent)
    assert hub.balance()["leased"] == 0


async def test_fifty_holders_and_one_cent(hub: HubProcess) -> None:
    """However they race, the grants never sum to more than the cent that is left."""
    hub.put_table(route_table(budget(CENT)))
    async with httpx.AsyncClient(base_url=hub.url, headers=hub.headers, timeout=30) as client:
        answers = await asyncio.gather(*(_want(client, n, CENT // 20) for n in range(50)))
    granted = [lease["granted"] for answer in answers for lease in answer["leases"]]
    denied = [answer for answer in answers if answer["denied"]]
    assert sum(granted) == CENT
    assert len(granted) == 20
    assert len(denied) == 30
    assert hub.balance()["available"] == 0


async def _want(client: httpx.AsyncClient, n: int, need: int) -> dict[str, Any]:
    body = {"sidecar": f"s{n}", "boot": "1", "seq": 1, "wants": [want(need)]}
    answer = (await client.post("/v1/ledger/sync", json=body)).raise_for_status()
    document: dict[str, Any] = answer.json()
    return document


def test_the_last_cent_is_usable(hub: HubProcess) -> None:
    """Idle money is recalled within a second's renewal, and goes to who needs it."""
    hub.put_table(route_table(budget(CENT)))
    idle = hub.sync("idle", wants=[want(CENT // 2, CENT // 2)])["leases"][0]
    hub.sync("busy", wants=[want(CENT // 2)])
    short = hub.sync("busy", wants=[want(CENT // 4, have=CENT // 2)])
    assert [denied["code"] for denied in short["denied"]] == ["exhausted"]
    mine = {"id": idle["id"], "account": ACCOUNT, "granted": CENT // 2}
    (told,) = hub.sync("idle", leases=[mine])["leases"]
    assert told["recall"]
    assert told["renew_every_ms"] == 1000
    hub.sync("idle", leases=[mine | {"returned": CENT // 2}])
    helped = hub.sync("busy", wants=[want(CENT // 4, have=CENT // 2)])
    assert helped["denied"] == []
    assert [lease["granted"] for lease in helped["leases"]] == [CENT // 2 + CENT // 4]


def test_a_budget_survives_its_deletion(hub: HubProcess) -> None:
    """Counters stay when the Budget goes and count on when it comes back; twice is one account."""
    lease = hub.sync(wants=[want(CENT)])["leases"][0]
    spent = {"id": lease["id"], "account": ACCOUNT, "spent": CENT, "closed": True}
    hub.sync(leases=[spent])
    hub.put_table(route_table())
    assert [d["code"] for d in hub.sync(wants=[want(1)])["denied"]] == ["unknown_account"]
    hub.put_table(route_table(budget(100 * CENT)))
    hub.put_table(route_table(budget(100 * CENT), policy="other"), "other")
    assert hub.balance()["settled"] == CENT
    assert len(hub.http.get("/v1/budgets").json()) == 1


def test_released_money_is_free_again_and_audited(hub: HubProcess) -> None:
    """Only what is unconfirmed can be released, and a second time there is nothing."""
    window = hub.balance()["window"]
    ask = {"account": ACCOUNT, "window": window, "reason": "the node is gone"}
    assert hub.http.post("/v1/ledger/release", json=ask).status_code == 409
    dead = {"id": "u-1", "account": ACCOUNT, "spent": 1, "unconfirmed": CENT, "closed": True}
    hub.sync(leases=[dead])
    assert hub.http.post("/v1/ledger/release", json=ask).json() == {"released": CENT}
    assert (hub.balance()["settled"], hub.balance()["unconfirmed"]) == (1, 0)
