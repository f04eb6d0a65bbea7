"""The hub as an ASGI app: its state in a store, one router for each kind of caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from pointsman_operator.hub import control_routes, engine_routes, question_routes
from pointsman_operator.hub.callers import Authenticator, LocalToken, NoRights, Rights
from pointsman_operator.hub.errors import answer_errors
from pointsman_operator.hub.gate import Gate
from pointsman_operator.hub.state import HubState, opened
from pointsman_operator.ledger.clock import Clock
from pointsman_operator.ledger.database import Store

LOGGER = logging.getLogger(__name__)
Callers = Callable[[HubState], AbstractAsyncContextManager[tuple[Authenticator, Rights]]]
"""Opens what tells callers apart, for as long as the hub runs."""


def create_app(
    store: Callable[[], Store], callers: Callers, clock: Clock, *, restored: bool = False
) -> FastAPI:
    """The hub over the state in a store.

    It serves as soon as the store is open, or answers 503 for as long as that has to be waited for.
    `app.state.ended` is called when it can serve no longer, and `app.state.failure` says why.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stop, begun = asyncio.Event(), asyncio.Event()

        def waiting(why: str) -> None:
            app.state.waiting = why
            begun.set()

        async def hold() -> None:
            async with (
                opened(store, clock, waiting, restored=restored) as state,
                callers(state) as (authenticator, rights),
            ):
                app.state.authenticator, app.state.rights = authenticator, rights
                app.state.hub = state
                begun.set()
                await _first(stop, state.database.lost)
                state.feed.close()

        holding = asyncio.create_task(hold())
        holding.add_done_callback(lambda _: begun.set())
        await begun.wait()
        if holding.done():
            await holding
        holding.add_done_callback(lambda task: None if stop.is_set() else _end(app, task))
        try:
            yield
        finally:
            stop.set()
            if app.state.hub is None:
                holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    app = FastAPI(title="Pointsman hub", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.hub, app.state.waiting, app.state.failure = None, "", None
    app.state.ended = _nobody_listens
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


def _end(app: FastAPI, holding: asyncio.Task[None]) -> None:
    error = holding.exception()
    app.state.failure = str(error) if error else "another hub writes to the ledger now"
    LOGGER.error("ending: %s", app.state.failure)
    app.state.ended()


def _nobody_listens() -> None:
    """Until a server says otherwise."""


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
