"""What sidecars call: the stream, the ledger's sync, reports."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from pointsman_operator.hub import limits
from pointsman_operator.hub.access import hub_state
from pointsman_operator.hub.feed import StreamAnswer, Subscriber
from pointsman_operator.hub.fleet import Rejected
from pointsman_operator.hub.messages import Report
from pointsman_operator.hub.state import HubState
from pointsman_operator.ledger.errors import LedgerError
from pointsman_operator.ledger.messages import SyncRequest

Asked = Annotated[str, Query(max_length=limits.LABEL_CHARACTERS_MAX)]
Named = Annotated[str, Query(min_length=1, max_length=limits.LABEL_CHARACTERS_MAX)]
State = Annotated[HubState, Depends(hub_state)]

router = APIRouter(prefix="/v1")


@router.get("/stream")
async def stream(
    state: State,
    sidecar: Named,
    boot: Named,
    namespace: Named,
    workload: Asked = "",
    digest: Asked = "",
) -> Response:
    """The sidecar's table, tuning and questions, for as long as it listens."""
    state.feed.check_room()
    entry = state.fleet.heard(sidecar, boot)
    entry.digest = digest
    return StreamAnswer(state.feed, Subscriber(namespace, workload, digest), entry)


async def sync(request: Request) -> Response:
    """Book what was spent, grant what is wanted; an answer means that it is on disk."""
    begun, state = time.perf_counter(), hub_state(request)
    try:
        # Straight from the bytes: the one call that every sidecar makes every thirty seconds.
        asked = SyncRequest.model_validate_json(await request.body())
        answer = await state.ledger.sync(asked)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False)) from error
    except LedgerError:
        state.metrics.syncs.labels("refused").inc()
        raise
    state.metrics.syncs.labels("ok").inc()
    state.metrics.sync_seconds.observe(time.perf_counter() - begun)
    body = answer.model_dump_json(exclude_none=True)
    return Response(body, media_type="application/json")


# Starlette's own route: callers wait for it, and nothing here is left for FastAPI to do. It takes
# the whole path, the prefix is FastAPI's.
router.add_route("/v1/ledger/sync", sync, methods=["POST"])


@router.post("/reports")
async def reports(state: State, report: Report) -> dict[str, str]:
    """What a sidecar runs, and its latest decisions."""
    entry = state.fleet.heard(report.sidecar, report.boot)
    entry.digest = report.digest
    refused = report.rejected
    entry.rejected = Rejected(refused.digest, refused.reason) if refused else None
    await state.decisions.keep(report.records)
    return {}
