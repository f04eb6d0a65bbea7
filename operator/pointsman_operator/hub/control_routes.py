"""What the controller, `pointsman up` and operators call to change something, or to wait for it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from pointsman_operator.hub import limits
from pointsman_operator.hub.access import caller_of, hub_state
from pointsman_operator.hub.callers import Caller, check_controller, check_right
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.existing import read_existing
from pointsman_operator.hub.listing import shown_all
from pointsman_operator.hub.messages import ReleaseRequest, TuningRequest
from pointsman_operator.hub.state import HubState
from pointsman_operator.hub.tables import parse_fence
from pointsman_operator.hub.targets import parse_target

State = Annotated[HubState, Depends(hub_state)]
Who = Annotated[Caller, Depends(caller_of)]
FenceHeader = Annotated[str, Header(alias="x-pointsman-fence")]
TargetHeader = Annotated[str, Header(alias="x-pointsman-target")]

router = APIRouter(prefix="/v1")


async def controller(who: Who) -> None:
    """Only the controller, or the local token."""
    check_controller(who)


OnlyController = Depends(controller)


@router.get("/tables", dependencies=[OnlyController])
async def tables(state: State) -> dict[str, Any]:
    """What is served: digest, fence and target by policy."""
    return {
        "tables": [
            {
                "namespace": table.policy[0],
                "policy": table.policy[1],
                "digest": table.digest,
                "fence": asdict(table.fence),
                "target": table.target.model_dump() if table.target else None,
            }
            for table in state.tables
        ],
        "pools": [
            {
                "namespace": pool.name[0],
                "pool": pool.name[1],
                "digest": pool.digest,
                "fence": asdict(pool.fence),
            }
            for pool in state.pools
        ],
    }


@router.put("/tables/{namespace}/{policy}", dependencies=[OnlyController])
async def put_table(
    state: State,
    namespace: str,
    policy: str,
    request: Request,
    fence: FenceHeader,
    target: TargetHeader = "",
) -> dict[str, str]:
    """Store a policy's table and send it to its sidecars."""
    content = await request.body()
    table = await state.tables.put(
        (namespace, policy), content, parse_fence(fence), parse_target(target)
    )
    state.declare_tables(namespace)
    state.feed.changed(namespace)
    return {"digest": table.digest}


@router.delete("/tables/{namespace}/{policy}", dependencies=[OnlyController])
async def delete_table(
    state: State, namespace: str, policy: str, fence: FenceHeader = ""
) -> dict[str, str]:
    """The policy is gone: its sidecars are told, and refuse calls where no other serves them."""
    await state.tables.remove((namespace, policy), parse_fence(fence) if fence else None)
    state.declare_tables(namespace)
    state.feed.changed(namespace)
    return {}


@router.put("/pools/{namespace}/{pool}", dependencies=[OnlyController])
async def put_pool(
    state: State, namespace: str, pool: str, request: Request, fence: FenceHeader
) -> dict[str, str]:
    """Store where a pool's own models are found, and watch those that a table names."""
    content = await request.body()
    stored = await state.pools.put((namespace, pool), content, parse_fence(fence))
    state.models.changed()
    return {"digest": stored.digest}


@router.delete("/pools/{namespace}/{pool}", dependencies=[OnlyController])
async def delete_pool(
    state: State, namespace: str, pool: str, fence: FenceHeader
) -> dict[str, str]:
    """The pool is gone, or has no model of its own any more."""
    await state.pools.remove((namespace, pool), parse_fence(fence))
    state.models.changed()
    return {}


@router.put("/budgets", dependencies=[OnlyController])
async def put_budgets(state: State, request: Request, fence: FenceHeader) -> dict[str, int]:
    """Take all Budgets that there are in place of those told before: each is shown from now on."""
    content = await request.body()
    state.tables.check_fence(parse_fence(fence))
    state.ledger.existing = read_existing(content)
    return {"accounts": len(state.ledger.existing)}


@router.put("/tuning/{namespace}/{policy}", dependencies=[OnlyController])
async def put_tuning(
    state: State, namespace: str, policy: str, tuning: TuningRequest
) -> dict[str, int]:
    """Send new lambdas to a policy's sidecars."""
    stored = await state.tunings.put((namespace, policy), tuning.lambdas)
    state.feed.changed(namespace)
    return {"epoch": stored.epoch}


@router.put("/certificates/{pod}", dependencies=[OnlyController])
async def put_certificate(state: State, pod: str, request: Request) -> dict[str, str]:
    """What the controller signed for a gateway's pod goes to its stream."""
    chain = await request.body()
    if len(chain) > limits.CERTIFICATE_BYTES_MAX or not chain.startswith(b"-----BEGIN CERTIF"):
        raise HubError(400, "bad_certificate", "the body is a chain of certificates in PEM")
    state.guarded.certify(pod, chain.decode("ascii", "replace"))
    state.feed.wake_gateways()
    return {}


@router.get("/fleet", dependencies=[OnlyController], response_model=None)
async def fleet(
    state: State,
    after: Annotated[int, Query(ge=-1)] = -1,
    wait: Annotated[float, Query(ge=0, le=limits.FLEET_WAIT_S)] = 0,
    *,
    changes: bool = False,
) -> Response:
    """Every sidecar, at once where something has changed after that revision.

    With `changes` only those that have, where it is a revision of ours (`whole` says whether).
    """
    await state.fleet.news(after, wait)
    news = state.fleet.since(after if changes else -1)
    rest = {
        "rev": state.fleet.revision,
        "whole": news.whole,
        "gone": news.gone,
        "models": state.models.told(),
        "down": state.health.told(),
        "strained": state.strains.told(),
    }
    rows = await shown_all(news.entries)
    content = json.dumps(rest).encode()[:-1] + b', "sidecars": [' + rows + b"]}"
    return Response(content, media_type="application/json")


@router.post("/ledger/release")
async def release(
    state: State, who: Who, request: Request, asked: ReleaseRequest
) -> dict[str, int]:
    """An operator frees unconfirmed money; the audit keeps who lost what and why."""
    namespace = asked.account.partition("/")[0]
    await check_right(who, request.app.state.rights, "update", "budgets", namespace)
    reason = f"{asked.reason} (by {who.name})" if who.name else asked.reason
    return {"released": await state.ledger.release(asked.account, asked.window, reason)}
