"""Probes and metrics of the controller over HTTP. Called by kubelet and Prometheus."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST


class Probes(uvicorn.Server):
    """Serves `/livez`, `/readyz` and `/metrics` in the running loop."""

    def __init__(
        self,
        host: str,
        port: int,
        announce: Path | None,
        ills: Callable[[], list[str]],
        unready: Callable[[], list[str]],
        metrics: Callable[[], bytes],
    ) -> None:
        """`ills` and `unready` say what is wrong; nothing: all is well."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.get("/livez")(_probe(ills))
        app.get("/readyz")(_probe(unready))

        @app.get("/metrics")
        async def page() -> Response:
            return Response(metrics(), media_type=CONTENT_TYPE_LATEST)

        super().__init__(
            uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False)
        )
        self._announce = announce

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process' own business."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say where."""
        await super().startup(sockets)
        if self.started and self._announce is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            draft = self._announce.with_name(self._announce.name + ".new")
            draft.write_text(json.dumps({"address": f"{host}:{port}", "pid": os.getpid()}))
            draft.replace(self._announce)


def _probe(wrong: Callable[[], list[str]]) -> Callable[[], object]:
    async def answer() -> Response:
        found = wrong()
        text = "\n".join(found) or "ok"
        return Response(text + "\n", 503 if found else 200, media_type="text/plain")

    return answer
