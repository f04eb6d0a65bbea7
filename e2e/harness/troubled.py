"""An API server with moods: between a client under test and the real one, for faults at will.

Storms of 429, broken watches and silence cannot be ordered from a real API server; this passes
everything through, token included, until a test says otherwise. Its own caller is a program with a
kubeconfig of `kubeconfig(…)`; everybody else talks to the real one.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from ssl import create_default_context
from typing import Any, Self

import httpx
import uvicorn

from harness import kubeconfigs
from harness.components import LOOPBACK
from harness.control_plane import ControlPlane
from support.free_port import free_port

START_S = 20.0
PATIENCE = httpx.Timeout(20.0, read=None)
"""Watches may be silent for as long as they like."""
HOP_BY_HOP = {b"connection", b"host", b"content-length", b"transfer-encoding", b"keep-alive"}
TOO_MANY_REQUESTS = 429

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Matches = Callable[[str, str], bool]
"""Of method and path with query."""


@dataclass(frozen=True)
class Mood:
    """What is answered instead of passing on, and to which requests."""

    status: int
    retry_after_s: int
    matches: Matches


class CutError(Exception):
    """Ends a request without an answer: the server closes its connection."""


class TroubledApi:
    """A running proxy; leave the `with` block to end it."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        port = free_port()
        self.url = f"https://{LOOPBACK}:{port}"
        self.requests = 0
        """How many came in so far, refused ones included."""
        control_plane.authority.issue("troubled", hosts=(LOOPBACK,)).write(
            control_plane.folder, f"troubled-{port}"
        )
        pair = control_plane.folder / f"troubled-{port}"
        config = uvicorn.Config(
            self._serve,
            host=LOOPBACK,
            port=port,
            ssl_certfile=pair.with_suffix(".crt"),
            ssl_keyfile=pair.with_suffix(".key"),
            interface="asgi3",
            lifespan="off",
            proxy_headers=False,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._mood: Mood | None = None
        self._speaking = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        """Itself, once it answers."""
        self._thread.start()
        self._control_plane.supervisor.until(
            lambda: self._server.started, "the troubled API answers", START_S
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and what still runs through it."""
        self.speak()
        self.cut()
        self._server.should_exit = True
        self._thread.join(START_S)

    def kubeconfig(self, namespace: str, service_account: str) -> Path:
        """A kubeconfig for a ServiceAccount that exists, by way of here."""
        token = self._control_plane.token(namespace, service_account)
        document = kubeconfigs.by_token(self.url, self._control_plane.ca.encode(), token)
        path = self._control_plane.folder / f"troubled-{namespace}-{service_account}.conf"
        return kubeconfigs.written(document, path)

    def refuse(
        self,
        status: int = TOO_MANY_REQUESTS,
        retry_after_s: int = 1,
        matches: Matches = lambda method, path: True,  # noqa: ARG005 - everything matches
    ) -> None:
        """Answer new requests so from now on, those that match (method, path with query)."""
        self._mood = Mood(status, retry_after_s, matches)

    def pass_on(self) -> None:
        """Refuse nothing any more."""
        self._mood = None

    def silence(self) -> None:
        """Say nothing from now on: requests are taken, answers and watch events stay here."""
        self._in_loop(self._speaking.clear)

    def speak(self) -> None:
        """End the silence; what was held back goes out."""
        self._in_loop(self._speaking.set)

    def cut(self) -> None:
        """Break every request that is under way, watches included, without an ending."""
        self._in_loop(lambda: [task.cancel() for task in self._running if not task.cancelling()])

    def _in_loop(self, work: Callable[[], object]) -> None:
        """Do something in the proxy's thread, now; returns when it is done."""
        done = threading.Event()

        def doing() -> None:
            work()
            done.set()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(doing)
            done.wait(START_S)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._speaking.set()
        trust = create_default_context(cadata=self._control_plane.ca)
        async with httpx.AsyncClient(
            base_url=self._control_plane.url, verify=trust, timeout=PATIENCE, trust_env=False
        ) as self._client:
            await self._server.serve()

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request: refused, or passed on until either side has enough."""
        self.requests += 1
        query = scope["query_string"].decode()
        path = scope["path"] + (f"?{query}" if query else "")
        body = await _body(receive)
        await self._speaking.wait()
        mood = self._mood
        if mood is not None and mood.matches(scope["method"], path):
            await _refuse(mood, send)
            return
        passing = asyncio.create_task(self._pass_on(scope, path, body, send))
        leaving = asyncio.create_task(_left(receive))
        self._running.add(passing)
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not leaving.done() and passing.cancelled():
                raise CutError
        finally:
            self._running.discard(passing)
            leaving.cancel()
            if not passing.cancelling():
                # A second time would break off the first one's tidying: a socket is left open.
                passing.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)

    async def _pass_on(self, scope: Message, path: str, body: bytes, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in HOP_BY_HOP]
        request = self._client.build_request(scope["method"], path, headers=headers, content=body)
        answer = await self._begun(request)
        try:
            kept = [
                (name.lower(), value)
                for name, value in answer.headers.raw
                if name.lower() not in HOP_BY_HOP
            ]
            start = {"type": "http.response.start", "status": answer.status_code, "headers": kept}
            await send(start)
            async for chunk in answer.aiter_raw():
                await self._speaking.wait()
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()

    async def _begun(self, request: httpx.Request) -> httpx.Response:
        """The answer, once it has begun; who is cut meanwhile waits for that.

        httpcore leaves the socket open of a connection that is broken off in its handshake.
        """
        sending = asyncio.create_task(self._client.send(request, stream=True))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            with suppress(httpx.HTTPError):
                await (await sending).aclose()
            raise


async def _refuse(mood: Mood, send: Send) -> None:
    """As the API server words it."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": mood.status,
        "message": "the test wants it so",
    }
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", str(mood.retry_after_s).encode()),
    ]
    await send({"type": "http.response.start", "status": mood.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(status).encode()})


async def _body(receive: Receive) -> bytes:
    received = bytearray()
    while True:
        message = await receive()
        received += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(received)


async def _left(receive: Receive) -> None:
    """Returns when the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
