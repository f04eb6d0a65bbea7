"""Two servers in one process: webhooks in TLS, probes without; certificates change under way."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from pointsman_operator.injector import limits
from pointsman_operator.injector.app import Ready
from pointsman_operator.injector.settings import InjectorSettings, split
from pointsman_operator.kube.certificate import Certificate

_log = logging.getLogger(__name__)


class QuietServer(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: several servers of one process would take them from each other."""
        yield

    def leave(self) -> None:
        """Close idle connections, and each other one with its answer, new ones included.

        Until the endpoint is out everywhere there are new ones, and they are answered; a connection
        that stayed would bring us reviews that are our successor's.
        """
        close = (b"connection", b"close")
        # The second is what answers begin with now, and is made anew from the first.
        self.config.encoded_headers.append(close)
        self.server_state.default_headers = [*self.server_state.default_headers, close]
        for connection in list(self.server_state.connections):
            connection.shutdown()

    def address(self) -> str:
        """Where it listens."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Service:
    """The process: probes at once, webhooks as soon as there is a certificate."""

    def __init__(
        self, settings: InjectorSettings, webhooks: FastAPI, probes: FastAPI, ready: Ready
    ) -> None:
        self._settings = settings
        self._ready = ready
        self._certificate = Certificate(settings.tls_cert, settings.tls_key)
        self._webhooks = QuietServer(_configuration(webhooks, settings.listen, settings))
        self._probes = QuietServer(_configuration(probes, settings.probes, settings))

    async def run(self) -> bool:
        """Serve until SIGTERM or SIGINT; False where an address could not be bound."""
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
        self._ready.begin(limits.SYNC_WITHIN_S)
        probes = asyncio.create_task(_served(self._probes))
        webhooks = asyncio.create_task(self._serve_webhooks())
        ended = asyncio.create_task(told.wait())
        await asyncio.wait({probes, webhooks, ended}, return_when=asyncio.FIRST_COMPLETED)
        ordered = ended.done()
        if ordered and self._webhooks.started:
            self._ready.leaving = True
            self._webhooks.leave()
            await asyncio.sleep(limits.LEAVE_AFTER_S)
        ended.cancel()
        self._webhooks.should_exit = self._probes.should_exit = True
        if not self._webhooks.started:
            webhooks.cancel()
        await asyncio.gather(probes, webhooks, return_exceptions=True)
        return ordered

    async def _serve_webhooks(self) -> None:
        config = self._webhooks.config
        config.load()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        config.ssl = context
        # Files have no event to wait for.
        while not (self._certificate.changed() and self._certificate.load_into(context)):  # noqa: ASYNC110
            await asyncio.sleep(limits.CERTIFICATE_LOOK_S)
        serving = asyncio.create_task(_served(self._webhooks))
        while not serving.done():
            if self._webhooks.started and not self._ready.serving:
                self._ready.serving = True
                self._announce()
            if self._certificate.changed() and self._certificate.load_into(context):
                _log.info("another certificate is in use")
            await asyncio.wait({serving}, timeout=limits.CERTIFICATE_LOOK_S / 4)
        await serving

    def _announce(self) -> None:
        path = self._settings.announce
        if path is None:
            return
        draft = path.with_name(path.name + ".new")
        addresses = {"address": self._webhooks.address(), "probes": self._probes.address()}
        draft.write_text(json.dumps({**addresses, "pid": os.getpid()}))
        draft.replace(path)


async def _served(server: uvicorn.Server) -> None:
    """Run a server; uvicorn ends the process where it cannot bind, which is not its to do."""
    with suppress(SystemExit):
        await server.serve()


def _configuration(app: FastAPI, address: str, settings: InjectorSettings) -> uvicorn.Config:
    host, port = split(address)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        backlog=limits.LISTEN_QUEUE,
        timeout_keep_alive=limits.KEEP_ALIVE_S,
        timeout_graceful_shutdown=limits.SHUTDOWN_WITHIN_S,
    )
