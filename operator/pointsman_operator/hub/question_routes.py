"""What people and probes ask: decisions, spend, budgets, sidecars, health, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from pointsman_operator.hub import limits
from pointsman_operator.hub.access import caller_of, hub_state
from pointsman_operator.hub.callers import FORBIDDEN, Caller, check_right
from pointsman_operator.hub.decisions import unknown_decision
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.fleet import Sidecar
from pointsman_operator.hub.gate import CALLER
from pointsman_operator.hub.listing import shown
from pointsman_operator.hub.moments import rfc3339, since_moment
from pointsman_operator.hub.quota.shown import holders_of, limit_rows
from pointsman_operator.hub.state import HubState
from pointsman_operator.ledger.errors import StoreUnavailable
from pointsman_operator.ledger.ledger import Balance
from pointsman_operator.ledger.messages import NO_NUL
from pointsman_operator.ledger.spend import Counters, SpendBy

State = Annotated[HubState, Depends(hub_state)]
Who = Annotated[Caller, Depends(caller_of)]
DecisionId = Annotated[str, Path(max_length=limits.DECISION_ID_CHARACTERS_MAX, pattern=NO_NUL)]
NamespaceQuery = Annotated[str, Query(max_length=limits.LABEL_CHARACTERS_MAX)]

router = APIRouter()


@router.get("/v1/decisions/{decision}")
async def decision(
    state: State,
    who: Who,
    request: Request,
    decision: DecisionId,
    namespace: NamespaceQuery = "",
) -> dict[str, Any]:
    """One request's record; one that the caller may not see is answered as an unknown one is.

    With a namespace: its gateway's record, where the call came from another one.
    """
    record = await state.decisions.find(decision, namespace)
    try:
        own = namespace_of(record)
        await check_right(who, request.app.state.rights, "get", "routingpolicies", own)
    except HubError as error:
        if error.status == FORBIDDEN:
            raise unknown_decision(decision) from error
        raise
    return record


@router.get("/v1/spend")
async def spend(
    state: State,
    who: Who,
    request: Request,
    by: SpendBy = SpendBy.MODEL,
    since: str = "",
    namespace: NamespaceQuery = "",
) -> dict[str, Any]:
    """What was spent, grouped; `since` is a moment (RFC 3339) or a span back from now (`90m`)."""
    await check_right(who, request.app.state.rights, "get", "budgets", namespace)
    since_ms = since_moment(since, state.database.clock.now_ms())
    rows = await state.ledger.spend(by, since_ms, namespace)
    total = Counters()
    for row in rows:
        total = total.plus(row.counters)
    return {
        "rows": [
            {"key": row.key, **row.counters._asdict(), "last": rfc3339(row.last_ms)} for row in rows
        ],
        "total": total._asdict(),
    }


@router.get("/v1/budgets")
async def budgets(
    state: State,
    who: Who,
    request: Request,
    *,
    every: Annotated[bool, Query(alias="all")] = False,
    namespace: NamespaceQuery = "",
) -> list[dict[str, Any]]:
    """Each account's current window and those with open money; with `all`, every window."""
    await check_right(who, request.app.state.rights, "get", "budgets", namespace)
    balances = await state.ledger.balances(every=every)
    return [
        _balance(balance)
        for balance in balances
        if not namespace or balance.account.startswith(namespace + "/")
    ]


@router.get("/v1/limits")
async def limits_of_models(
    state: State,
    who: Who,
    request: Request,
    *,
    routers: bool = False,
    namespace: NamespaceQuery = "",
) -> list[dict[str, Any]]:
    """Each limit of a model and where its units are, by the namespace of its pool.

    With `routers`, who holds most of it, and who waits.
    """
    await check_right(who, request.app.state.rights, "get", "modelpools", namespace)
    found = limit_rows(state.desk, state.strains, namespace)
    if routers:
        holders = holders_of(state.desk, state.fleet, namespace)
        return [row | {"routers": holders[row["limit"], row["unit"]]} for row in found]
    return found


@router.get("/v1/sidecars")
async def sidecars(
    state: State, who: Who, request: Request, namespace: NamespaceQuery = ""
) -> list[dict[str, Any]]:
    """Every sidecar heard of, the one heard of last at the end."""
    await check_right(who, request.app.state.rights, "get", "routingpolicies", namespace)
    return [
        shown(entry) | _serving(state, entry)
        for entry in state.fleet
        if not namespace or entry.facts.namespace == namespace
    ]


@router.get("/healthz")
async def healthz(state: State) -> dict[str, str]:
    """200 when the store answers and took the last write."""
    if state.database.failure is not None:
        raise StoreUnavailable(f"the last write failed: {state.database.failure}")
    async with state.database.reading() as connection:
        await connection.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(_: State) -> dict[str, str]:
    """200 once the hub serves tables, also while its store takes no writes: streams go on."""
    return {"status": "ok"}


@router.get("/metrics")
async def metrics(state: State, request: Request) -> Response:
    """For Prometheus; in a cluster for whoever may see the Budgets of all namespaces."""
    who: Caller | None = request.scope.get(CALLER)
    if who is not None:
        await check_right(who, request.app.state.rights, "get", "budgets", "")
    state.metrics.models.show(state.models, state.pools)
    state.metrics.limits.show(state.desk)
    page = state.metrics.page(
        await state.ledger.balances(),
        streams=len(state.feed),
        failing=state.database.failure is not None,
        unknown_leases=state.ledger.unknown_leases,
    )
    return Response(page, media_type=CONTENT_TYPE_LATEST)


def namespace_of(record: Mapping[str, Any]) -> str:
    """Whose decision it is: the reporting pod's namespace, else that of its policy."""
    own = record.get("namespace") or str(record.get("policy") or "").partition("/")[0]
    return str(own)


def _serving(state: HubState, entry: Sidecar) -> dict[str, str]:
    """The policy that serves a sidecar now and its table's digest; empty where none does."""
    table = state.tables.serving(entry.served) if entry.served else None
    if table is None or table.policy not in state.tables:
        return {"policy": "", "serving": ""}
    return {"policy": table.policy[1], "serving": table.digest}


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
        "current": balance.current,
        "turned_away": balance.turned_away,
    }
