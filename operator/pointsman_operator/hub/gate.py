"""The door: who may call at all, and how much a body may hold; before anything is parsed.

Wraps the app as plain ASGI, because FastAPI reads a body before it asks its dependencies.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pointsman_operator.hub import limits
from pointsman_operator.hub.errors import error_answer

OPEN_PATHS = frozenset({"/healthz", "/metrics"})
TOKEN_BYTES = 32


class Gate:
    """Lets through what bears the token and keeps within the body's bound."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the app's lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["path"] not in OPEN_PATHS and not self._bears_token(headers):
            answer = error_answer(401, "unauthorized", "this needs the hub's bearer token")
            answer.headers["www-authenticate"] = "Bearer"
            await answer(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limits.BODY_BYTES_MAX:
            await _too_large(scope, receive, send)
            return
        await self._app(scope, _Bounded(receive), send)

    def _bears_token(self, headers: dict[bytes, bytes]) -> bool:
        return hmac.compare_digest(headers.get(b"authorization", b""), self._expected)


class _Bounded:
    """Counts a body that does not say its length; one that goes on too long ends as if cut off."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = limits.BODY_BYTES_MAX

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}


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
