"""What people and probes ask: decisions, spend, budgets, sidecars, health, metrics."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from pointsman_operator.hub import limits
from pointsman_operator.hub.access import hub_state
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.state import HubState
from pointsman_operator.ledger.errors import StoreUnavailable
from pointsman_operator.ledger.ledger import Balance
from pointsman_operator.ledger.spend import Counters, SpendBy

State = Annotated[HubState, Depends(hub_state)]
DecisionId = Annotated[str, Path(max_length=limits.DECISION_ID_CHARACTERS_MAX)]
UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SINCE_HELP = "since: a moment with offset (2026-11-22T10:00:00Z) or a span (90s 15m 24h 7d)"

router = APIRouter()


@router.get("/v1/decisions/{decision}")
async def decision(state: State, decision: DecisionId) -> dict[str, Any]:
    """One request's record."""
    return await state.decisions.find(decision)


@router.get("/v1/spend")
async def spend(state: State, by: SpendBy = SpendBy.MODEL, since: str = "") -> dict[str, Any]:
    """What was spent, grouped; `since` is a moment (RFC 3339) or a span back from now (`90m`)."""
    since_ms = since_moment(since, state.database.clock.now_ms())
    rows = await state.ledger.spend(by, since_ms)
    total = Counters()
    for row in rows:
        total = total.plus(row.counters)
    return {
        "rows": [{"key": row.key, **row.counters._asdict()} for row in rows],
        "total": total._asdict(),
    }


@router.get("/v1/budgets")
async def budgets(
    state: State, *, every: Annotated[bool, Query(alias="all")] = False
) -> list[dict[str, Any]]:
    """Each account's current window and those with open money; with `all`, every window."""
    return [_balance(balance) for balance in await state.ledger.balances(every=every)]


@router.get("/v1/sidecars")
async def sidecars(state: State) -> list[dict[str, Any]]:
    """Every sidecar heard of, the one heard of last at the end."""
    return [
        {
            "sidecar": entry.sidecar,
            "boot": entry.boot,
            "connected": entry.connected,
            "digest": entry.digest,
            "seen_at": _rfc3339(entry.seen_ms),
            **({"rejected": asdict(entry.rejected)} if entry.rejected else {}),
        }
        for entry in state.fleet
    ]


@router.get("/healthz")
async def healthz(state: State) -> dict[str, str]:
    """200 when the store answers and took the last write."""
    if state.database.failure is not None:
        raise StoreUnavailable(f"the last write failed: {state.database.failure}")
    async with state.database.reading() as connection:
        await connection.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/metrics")
async def metrics(state: State) -> Response:
    """For Prometheus."""
    page = state.metrics.page(
        await state.ledger.balances(),
        streams=len(state.feed),
        failing=state.database.failure is not None,
        unknown_leases=state.ledger.unknown_leases,
    )
    return Response(page, media_type=CONTENT_TYPE_LATEST)


def since_moment(since: str, now_ms: int) -> int:
    """Unix milliseconds; empty means always. Raises `HubError`."""
    if not since:
        return 0
    span = re.fullmatch(r"(\d{1,6})([smhd])", since)
    if span:
        return now_ms - int(span[1]) * UNITS_MS[span[2]]
    try:
        moment = dt.datetime.fromisoformat(since)
    except ValueError as error:
        raise HubError(400, "bad_since", SINCE_HELP) from error
    if moment.tzinfo is None:
        raise HubError(400, "bad_since", SINCE_HELP)
    return int(moment.timestamp() * 1000)


def _balance(balance: Balance) -> dict[str, Any]:
    pot = balance.pot
    return {
        "account": balance.account,
        "window": balance.window,
        "limit": pot.limit,
        "settled": pot.settled,
        "unconfirmed": pot.unconfirmed,
        "leased": pot.leased,
        "available": pot.available,
        "overrun": pot.overrun,
        "resets_at": balance.resets_at,
        "declared": balance.declared,
    }


def _rfc3339(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")
