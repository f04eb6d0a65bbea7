"""Tickets for gateways over their keys' and holders' lives, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pointsman_operator.hub import limits
from pointsman_operator.hub.tickets import Bearer, Tickets
from pointsman_operator.ledger.database import Database
from support.ledger_world import HandClock, sqlite_at

POD = Bearer("uid-1", "guest", "shop")
GATEWAY = "owner/main"
HOUR_S = limits.TICKET_LIFE_S


def run(path: Path, clock: HandClock, work: Callable[[Tickets], Awaitable[None]]) -> None:
    """A hub comes up on this database, works, and goes down."""

    async def life() -> None:
        database = await Database.open(sqlite_at(path / "hub.db")(), clock)
        try:
            tickets = Tickets(database)
            await tickets.load()
            await work(tickets)
        finally:
            await database.close()

    asyncio.run(life())


def checked(tickets: Tickets, ticket: str) -> dict[str, Any]:
    """The claims, checked as a gateway does: by the keys that it is told of."""
    keys = json.loads(tickets.admission())["keys"]
    raw = base64.b64decode(keys[jwt.get_unverified_header(ticket)["kid"]])
    key = Ed25519PublicKey.from_public_bytes(raw)
    # The gateway's clock is not the test's: expiry is judged by the claim.
    claims: dict[str, Any] = jwt.decode(
        ticket,
        key,
        algorithms=["EdDSA"],
        audience=GATEWAY,
        options={"verify_exp": False, "verify_iat": False},
    )
    return claims


def test_a_ticket_outlives_a_restart_and_its_holder_is_known(tmp_path: Path) -> None:
    """The next process signs and names the same keys, and can still take the pod's word back."""
    clock, kept = HandClock(), []

    async def first(tickets: Tickets) -> None:
        kept.append(tickets.mint(POD, GATEWAY, HOUR_S))
        await tickets.tend()

    async def second(tickets: Tickets) -> None:
        claims = checked(tickets, kept[0])
        assert (claims["sub"], claims["ns"], claims["wl"]) == (POD.pod, "guest", "shop")
        assert claims["exp"] - claims["iat"] == HOUR_S
        assert tickets.holders() == {POD.pod}
        assert tickets.revoke(POD.pod)
        assert json.loads(tickets.admission())["revoked"] == [POD.pod]
        assert not tickets.revoke(POD.pod), "once is enough"

    run(tmp_path, clock, first)
    run(tmp_path, clock, second)


def test_keys_rotate_with_overlap(tmp_path: Path) -> None:
    """A new key signs only once gateways had time to learn it; the old one's tickets stay good."""
    clock = HandClock()

    async def work(tickets: Tickets) -> None:
        old = tickets.mint(POD, GATEWAY, HOUR_S)
        clock.time_ms += limits.SIGNING_KEY_LIFE_S * 1000
        assert await tickets.tend(), "gateways have to be told"
        kid = jwt.get_unverified_header(old)["kid"]
        assert jwt.get_unverified_header(tickets.mint(POD, GATEWAY, HOUR_S))["kid"] == kid
        clock.time_ms += limits.SIGNING_KEY_SPREAD_S * 1000
        fresh = tickets.mint(POD, GATEWAY, HOUR_S)
        assert jwt.get_unverified_header(fresh)["kid"] != kid
        assert checked(tickets, old)["sub"] == checked(tickets, fresh)["sub"] == POD.pod
        for _ in range(3):
            clock.time_ms += limits.SIGNING_KEY_LIFE_S * 1000
            await tickets.tend()
        assert kid not in json.loads(tickets.admission())["keys"]
        with pytest.raises(KeyError):
            checked(tickets, old)

    run(tmp_path, clock, work)


def test_a_ticket_minted_while_the_old_ones_are_forgotten_is_not_forgotten(tmp_path: Path) -> None:
    """Else the pod's deletion would be told to no gateway while its ticket is good."""
    clock = HandClock()

    async def work(tickets: Tickets) -> None:
        tickets.mint(POD, GATEWAY, HOUR_S)
        await tickets.tend()
        clock.time_ms += (HOUR_S + limits.TICKET_GRACE_S) * 1000
        tending = asyncio.create_task(tickets.tend())
        await asyncio.sleep(0)  # it is writing now
        tickets.mint(POD, GATEWAY, HOUR_S)
        await tending
        assert tickets.holders() == {POD.pod}
        await tickets.tend()

    async def later(tickets: Tickets) -> None:
        assert tickets.holders() == {POD.pod}
        assert tickets.revoke(POD.pod)

    run(tmp_path, clock, work)
    run(tmp_path, clock, later)
