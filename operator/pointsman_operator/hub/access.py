"""How a route reaches the hub's state and learns who calls."""

from __future__ import annotations

from fastapi import Request

from pointsman_operator.hub.callers import Caller
from pointsman_operator.hub.gate import CALLER
from pointsman_operator.hub.state import HubState


async def hub_state(request: Request) -> HubState:
    """The state of the hub that serves this request."""
    state: HubState = request.app.state.hub
    return state


async def caller_of(request: Request) -> Caller:
    """Whom the gate has let in."""
    caller: Caller = request.scope[CALLER]
    return caller
