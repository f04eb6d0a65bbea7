"""The hub's server: uvicorn on uvloop, streams ended before it waits, announced when it serves."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import socket
import ssl
import sys
import time
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from pointsman_operator.hub import limits
from pointsman_operator.hub.door import Door
from pointsman_operator.hub.settings import HubSettings
from pointsman_operator.kube.certificate import Certificate

LOGGER = logging.getLogger(__name__)


class HubServer(uvicorn.Server):
    """A server whose endless streams do not hold up its end."""

    def __init__(self, app: FastAPI, settings: HubSettings) -> None:
        super().__init__(_configuration(app, settings))
        self._app = app
        app.state.ended = self.end
        self._announce = settings.announce
        self._certificate: Certificate | None = None
        self._renewing: asyncio.Task[None] | None = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            self._certificate = Certificate(settings.tls_cert, settings.tls_key)

    def prepare_tls(self) -> None:
        """Wait for the certificate, which the controller writes after the hub is made."""
        if self._certificate is None:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Streams never resume a session, and for a sync it would save the hub one signature: less
        # than the two tickets cost that each connection would get.
        context.num_tickets = 0
        LOGGER.info("waiting for the certificate")
        while not (self._certificate.changed() and self._certificate.load_into(context)):
            time.sleep(limits.CERTIFICATE_LOOK_S)
        self.config.load()
        self.config.ssl = context

    def end(self) -> None:
        """Stop serving, in order."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say where."""
        del sockets
        await super().startup([])
        await self._open()
        # What is there by now stays, and need not be looked at again.
        gc.freeze()
        gc.set_threshold(*limits.COLLECTED_AT)
        if self._certificate is not None:
            self._renewing = asyncio.create_task(self._renew(self._certificate))
        if self.started and self._announce is not None:
            host, port = self._door.address
            shown = f"[{host}]" if ":" in host else host
            announce(self._announce, f"{shown}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, finish the requests, close the state."""
        if self._renewing is not None:
            self._renewing.cancel()
        self._door.close()
        if self._app.state.hub is not None:
            self._app.state.hub.feed.close()
        await super().shutdown(sockets)

    async def _open(self) -> None:
        self._door = Door(self._protocol, self.config.ssl)
        host, port = self.config.host, self.config.port
        try:
            await self._door.open(host, port)
        except OSError as error:
            LOGGER.error("cannot listen on %s port %d: %s", host, port, error)  # noqa: TRY400
            await self.lifespan.shutdown()
            sys.exit(1)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def _renew(self, certificate: Certificate) -> None:
        """Handshakes to come use what the files hold; open streams stay."""
        while True:
            await asyncio.sleep(limits.CERTIFICATE_LOOK_S)
            context = self.config.ssl
            if context is not None and certificate.changed() and certificate.load_into(context):
                LOGGER.info("another certificate is in use")


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
        proxy_headers=False,
        backlog=limits.LISTEN_QUEUE,
        timeout_graceful_shutdown=limits.SHUTDOWN_WITHIN_S,
    )
