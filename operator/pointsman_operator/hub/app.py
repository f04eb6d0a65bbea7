"""The hub as an ASGI app: state in a folder, one router for each kind of caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from pointsman_operator.hub import control_routes, engine_routes, question_routes
from pointsman_operator.hub.errors import answer_errors
from pointsman_operator.hub.gate import Gate
from pointsman_operator.hub.state import opened
from pointsman_operator.ledger.clock import Clock


def create_app(folder: Path, token: str, clock: Clock, *, restored: bool = False) -> FastAPI:
    """The hub over the state in `folder`; callers bear `token`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(folder, clock, restored=restored) as state:
            app.state.hub = state
            yield

    app = FastAPI(title="Pointsman hub", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(engine_routes.router)
    app.include_router(control_routes.router)
    app.include_router(question_routes.router)
    answer_errors(app)
    app.add_middleware(Gate, token=token)
    return app
