"""The hub's server: uvicorn on uvloop, streams ended before it waits, announced when it serves."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from pointsman_operator.hub import limits
from pointsman_operator.hub.settings import HubSettings


class HubServer(uvicorn.Server):
    """A server whose endless streams do not hold up its end."""

    def __init__(self, app: FastAPI, settings: HubSettings) -> None:
        super().__init__(_configuration(app, settings))
        self._app = app
        self._announce = settings.announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say where."""
        await super().startup(sockets)
        if self.started and self._announce is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            announce(self._announce, f"{shown}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, finish the requests, close the state."""
        self._app.state.hub.feed.close()
        await super().shutdown(sockets)


def announce(path: Path, address: str) -> None:
    """Write the file whole, so that who waits for it never reads half of it."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps({"address": address, "pid": os.getpid()}))
    draft.replace(path)


def _configuration(app: FastAPI, settings: HubSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        # Measured: 51 KiB a TLS stream, asyncio's own loop takes 303 (docs/decisions.md).
        loop="uvloop",
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        backlog=limits.LISTEN_QUEUE,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=limits.SHUTDOWN_WITHIN_S,
    )
