"""What the controller, `pointsman up` and operators call to change something."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request

from pointsman_operator.hub.access import hub_state
from pointsman_operator.hub.messages import ReleaseRequest, TuningRequest
from pointsman_operator.hub.state import HubState
from pointsman_operator.hub.tables import parse_fence

State = Annotated[HubState, Depends(hub_state)]
FenceHeader = Annotated[str, Header(alias="x-pointsman-fence")]

router = APIRouter(prefix="/v1")


@router.put("/tables/{namespace}/{policy}")
async def put_table(
    state: State, namespace: str, policy: str, request: Request, fence: FenceHeader
) -> dict[str, str]:
    """Store a policy's table and send it to its sidecars."""
    content = await request.body()
    table = await state.tables.put((namespace, policy), content, parse_fence(fence))
    state.declare_accounts()
    state.feed.changed(namespace)
    return {"digest": table.digest}


@router.delete("/tables/{namespace}/{policy}")
async def delete_table(
    state: State, namespace: str, policy: str, fence: FenceHeader = ""
) -> dict[str, str]:
    """The policy is gone; its sidecars keep the table that they have."""
    await state.tables.remove((namespace, policy), parse_fence(fence) if fence else None)
    state.declare_accounts()
    state.feed.changed(namespace)
    return {}


@router.put("/tuning/{namespace}/{policy}")
async def put_tuning(
    state: State, namespace: str, policy: str, tuning: TuningRequest
) -> dict[str, int]:
    """Send new lambdas to a policy's sidecars."""
    stored = await state.tunings.put((namespace, policy), tuning.lambdas)
    state.feed.changed(namespace)
    return {"epoch": stored.epoch}


@router.post("/ledger/release")
async def release(state: State, request: ReleaseRequest) -> dict[str, int]:
    """An operator frees unconfirmed money; the audit keeps who lost what and why."""
    freed = await state.ledger.release(request.account, request.window, request.reason)
    return {"released": freed}
