"""The hub as it is, but it may die between commit and answer: `python dying_hub.py FILE …`.

While the file exists, the first sync that reports usage is booked and committed, and the process
kills itself before a byte of the answer leaves. All but that is the product's own.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pointsman_operator.hub.app import create_app, local_callers
from pointsman_operator.hub.gate import token_of
from pointsman_operator.hub.serving import HubServer
from pointsman_operator.hub.settings import read_settings
from pointsman_operator.ledger.clock import SystemClock
from pointsman_operator.ledger.windows import use_pinned_zones

SYNC = "/v1/ledger/sync"
USAGE = b'"usage":[{'


class Dying:
    """Around the hub's app: dies where it would begin to answer."""

    def __init__(self, app: ASGIApp, wanted: Path) -> None:
        self._app = app
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but for the one answer."""
        body = bytearray()

        async def read() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def answer(message: Message) -> None:
            reported = scope.get("path") == SYNC and USAGE in body
            if reported and message.get("status") == 200 and self._wanted.exists():
                os.kill(os.getpid(), signal.SIGKILL)
            await send(message)

        await self._app(scope, read, answer)


if __name__ == "__main__":
    settings = read_settings(sys.argv[2:], os.environ)
    use_pinned_zones()
    app: Any = create_app(
        settings.store, local_callers(token_of(settings.token_path)), SystemClock()
    )
    app.add_middleware(Dying, wanted=Path(sys.argv[1]))
    HubServer(app, settings).run()
