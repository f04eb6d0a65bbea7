"""The hub as an ASGI app: state in a folder, one router for each kind of caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from pointsman_operator.hub import control_routes, engine_routes, question_routes
from pointsman_operator.hub.callers import Authenticator, LocalToken, NoRights, Rights
from pointsman_operator.hub.errors import answer_errors
from pointsman_operator.hub.gate import Gate
from pointsman_operator.hub.state import HubState, opened
from pointsman_operator.ledger.clock import Clock

Callers = Callable[[HubState], AbstractAsyncContextManager[tuple[Authenticator, Rights]]]
"""Opens what tells callers apart, for as long as the hub runs."""


def create_app(folder: Path, callers: Callers, clock: Clock, *, restored: bool = False) -> FastAPI:
    """The hub over the state in `folder`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            opened(folder, clock, restored=restored) as state,
            callers(state) as (authenticator, rights),
        ):
            app.state.hub = state
            app.state.authenticator = authenticator
            app.state.rights = rights
            yield

    app = FastAPI(title="Pointsman hub", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(engine_routes.router)
    app.include_router(control_routes.router)
    app.include_router(question_routes.router)
    answer_errors(app)
    app.add_middleware(Gate)
    return app


def local_callers(token: str) -> Callers:
    """Outside a cluster: who bears this token may do all."""

    @asynccontextmanager
    async def callers(_: HubState) -> AsyncIterator[tuple[Authenticator, Rights]]:
        yield LocalToken(token), NoRights()

    return callers
