"""The door: who calls, and how much a body may hold; before anything is parsed.

Wraps the app as plain ASGI, because FastAPI reads a body before it asks its dependencies.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pointsman_operator.hub import limits
from pointsman_operator.hub.callers import Authenticator, Caller
from pointsman_operator.hub.errors import HubError, error_answer

HEALTH, READY, METRICS = "/healthz", "/readyz", "/metrics"
CALLER = "pointsman.caller"
"""Where the scope holds the `Caller`."""
TOKEN_BYTES = 32


class Gate:
    """Lets through what bears a token that somebody knows and keeps within the body's bound."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the app's lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        app = scope["app"]
        if app.state.hub is None:
            why = f"the hub waits for its store: {app.state.waiting}"
            await error_answer(503, "ledger_unavailable", why)(scope, receive, send)
            return
        headers = dict(scope["headers"])
        authenticator: Authenticator = app.state.authenticator
        is_open = {HEALTH: True, READY: True, METRICS: not authenticator.guards_metrics}
        if not is_open.get(scope["path"], False):
            try:
                caller = await _caller(authenticator, headers)
            except HubError as error:
                answer = error_answer(error.status, error.code, str(error))
                await answer(scope, receive, send)
                return
            if caller is None:
                answer = error_answer(401, "unauthorized", "this needs a token that the hub knows")
                answer.headers["www-authenticate"] = "Bearer"
                await answer(scope, receive, send)
                return
            scope[CALLER] = caller
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limits.BODY_BYTES_MAX:
            await _too_large(scope, receive, send)
            return
        await self._app(scope, _Bounded(receive), send)


class _Bounded:
    """Counts a body that does not say its length; one that goes on too long ends as if cut off."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = limits.BODY_BYTES_MAX

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}


async def _caller(authenticator: Authenticator, headers: dict[bytes, bytes]) -> Caller | None:
    kind, _, token = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"bearer" or not 0 < len(token) <= limits.TOKEN_BYTES_MAX:
        return None
    try:
        return await authenticator(token.decode("ascii"))
    except UnicodeDecodeError:
        return None


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    message = f"a body holds at most {limits.BODY_BYTES_MAX} bytes"
    await error_answer(413, "too_large", message)(scope, receive, send)


def token_of(path: Path) -> str:
    """The token in that file, made with mode 0600 where there is none; raises `ValueError`."""
    if path.exists():
        if path.stat().st_mode & 0o077:
            raise ValueError(f"{path} can be read by others: chmod 600 {path}")
        token = path.read_text().strip()
        if not token:
            raise ValueError(f"{path} is empty: remove it and start again")
        return token
    token = secrets.token_urlsafe(TOKEN_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    return token
