"""What sidecars call: the stream, the ledger's sync, reports. Each speaks for itself only."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from pointsman_operator.hub.access import caller_of, hub_state
from pointsman_operator.hub.callers import (
    Caller,
    Role,
    check_gateway,
    is_gateway,
    own_namespace,
    serves_guests,
)
from pointsman_operator.hub.decisions import gateway_record
from pointsman_operator.hub.feed import StreamAnswer, Subscriber
from pointsman_operator.hub.fleet import Rejected
from pointsman_operator.hub.health import settled
from pointsman_operator.hub.messages import Report, StreamQuery
from pointsman_operator.hub.quota.messages import LimitsRequest
from pointsman_operator.hub.state import HubState
from pointsman_operator.hub.targets import Served, parse_labels
from pointsman_operator.ledger.errors import LedgerError
from pointsman_operator.ledger.messages import SyncRequest
from pointsman_operator.ledger.syncing import Bounds

State = Annotated[HubState, Depends(hub_state)]
Who = Annotated[Caller, Depends(caller_of)]

FIRST_WORD = "its first report"
"""What the controller of a gateway waits for."""

router = APIRouter(prefix="/v1")


async def stream(request: Request) -> Response:
    """The sidecar's table, tuning and questions, for as long as it listens."""
    state, who = await hub_state(request), await caller_of(request)
    try:
        asked = StreamQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise _invalid(error, "query") from error
    gateway = asked.gateway
    own = own_namespace(who, asked.sidecar, asked.namespace)
    if gateway:
        check_gateway(who, gateway)
    served = Served(own, asked.workload, parse_labels(asked.labels), gateway)
    state.feed.check_room()
    entry = state.fleet.heard(asked.sidecar, asked.boot)
    entry.served = served
    entry.says(
        namespace=own,
        workload=asked.workload,
        digest=asked.digest,
        pod=who.pod,
        gateway=gateway,
    )
    if gateway and not entry.facts.version:
        # It may bring its table from an earlier start, but nobody knows yet what it lacks.
        entry.says(waiting=FIRST_WORD)
    return StreamAnswer(state.feed, Subscriber(entry, served, asked.digest))


async def sync(request: Request) -> Response:
    """Book what was spent, grant what is wanted; an answer means that it is on disk."""
    begun = time.perf_counter()
    state, who = await hub_state(request), await caller_of(request)
    try:
        # Straight from the bytes: the one call that every sidecar makes every thirty seconds.
        asked = SyncRequest.model_validate_json(await request.body())
        own = own_namespace(who, asked.sidecar, "")
        bounds = bounds_of(state, who, own)
        state.newborn.check(asked, bounds.namespace if bounds else None)
        answer = await state.ledger.sync(asked, bounds)
    except ValidationError as error:
        raise _invalid(error) from error
    except LedgerError:
        state.metrics.syncs.labels("refused").inc()
        raise
    state.metrics.syncs.labels("ok").inc()
    state.metrics.sync_seconds.observe(time.perf_counter() - begun)
    body = answer.model_dump_json(exclude_none=True)
    return Response(body, media_type="application/json")


async def shares(request: Request) -> Response:
    """What a sidecar has and needs of limits of models, and what it may have."""
    state, who = await hub_state(request), await caller_of(request)
    try:
        asked = LimitsRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise _invalid(error) from error
    own = own_namespace(who, asked.sidecar, "")
    allowed = None if who.role is Role.LOCAL else state.tables.limits_of(own)
    answer = await state.desk.hear(asked, allowed)
    return Response(answer.model_dump_json(), media_type="application/json")


# Starlette's own routes: for one callers wait, the other a whole fleet opens at once, and nothing
# here is left for FastAPI to do. They take the whole path, the prefix is FastAPI's.
router.add_route("/v1/stream", stream, methods=["GET"])
router.add_route("/v1/ledger/sync", sync, methods=["POST"])
router.add_route("/v1/limits", shares, methods=["POST"])


@router.post("/reports")
async def reports(state: State, who: Who, report: Report) -> dict[str, str]:
    """What a sidecar runs, and its latest decisions."""
    own = own_namespace(who, report.sidecar, "")
    entry = state.fleet.heard(report.sidecar, report.boot)
    refused = report.rejected
    entry.says(
        digest=report.digest,
        rejected=Rejected(refused.digest, refused.reason) if refused else None,
        version=report.version,
        ledger=report.ledger,
        targets=report.targets,
        outages=settled(entry.facts.outages, report.outages, state.database.clock.now_ms()),
        told_down=report.told_down,
        credentials=report.credentials,
        last_error=report.last_error,
        csr=report.csr if is_gateway(who) else "",
        waiting=report.waiting if is_gateway(who) else "",
    )
    table = state.tables.serving(entry.served) if entry.served else None
    if table is not None:
        if report.endpoints:
            state.models.take(table.policy, (report.sidecar, report.boot), report.endpoints)
        state.health.take(table.policy, report.sidecar, report.outages, report.answered)
    # Whose record it is says the token, not the record.
    mine = [record | {"namespace": own} if own else record for record in report.records]
    if serves_guests(who):
        # The caller's sidecar has one of the same id: each namespace sees its own.
        mine = [record | {"id": gateway_record(record["id"], own)} for record in mine]
    await state.decisions.keep(mine)
    return {}


def bounds_of(state: HubState, who: Caller, namespace: str) -> Bounds | None:
    """What a pod may book on: its own namespace's accounts. None: the local sidecar, on all."""
    if who.role is Role.LOCAL:
        return None
    accounts = state.tables.accounts_of(namespace)
    return Bounds(namespace, accounts, guests=serves_guests(who))


def _invalid(error: ValidationError, *where: str) -> RequestValidationError:
    """The same without what was given, which may be a secret in the wrong place."""
    found = error.errors(include_input=False)
    return RequestValidationError(
        [problem | {"loc": (*where, *problem["loc"])} for problem in found]
    )
