"""How a route reaches the hub's state."""

from __future__ import annotations

from fastapi import Request

from pointsman_operator.hub.state import HubState


def hub_state(request: Request) -> HubState:
    """The state of the hub that serves this request."""
    state: HubState = request.app.state.hub
    return state
