"""The relay to a pod's port: every byte, every end, and a reason where it broke."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from harness import kubeconfigs
from harness.pki import Authority
from pointsman_operator.cli.remote.relay import ForwardError, PodPort, Relay, relay
from pointsman_operator.kube.connection import Connection, connect
from support.eventually import eventually

TARGET = PodPort("pointsman-system", "pointsman-hub-0", 4620)
PATH = f"/api/v1/namespaces/{TARGET.namespace}/pods/{TARGET.pod}/portforward"
PROTOCOL = "v4.channel.k8s.io"
ANSWER = bytes(range(256)) * 4_000
WITHIN_S = 10.0

Pod = Callable[[web.WebSocketResponse], Awaitable[None]]


async def echo(pod: web.WebSocketResponse) -> None:
    """Say everything again, in small frames, until the other side has gone."""
    async for message in pod:
        if message.type is WSMsgType.BINARY:
            assert message.data[0] == 0
            for at in range(1, len(message.data), 1_000):
                await pod.send_bytes(b"\x00" + message.data[at : at + 1_000])


async def answer_and_close(pod: web.WebSocketResponse) -> None:
    """A long answer to the first words, and the end right behind it."""
    await pod.receive_bytes()
    await pod.send_bytes(b"\x00" + ANSWER)
    await pod.close()


async def break_off(pod: web.WebSocketResponse) -> None:
    """As an API server that dies: no frame says that it is the end."""
    await pod.receive_bytes()
    assert pod._req is not None
    assert pod._req.transport is not None
    pod._req.transport.abort()


async def refuse(pod: web.WebSocketResponse) -> None:
    """As a container runtime whose pod does not take the connection."""
    await pod.send_bytes(b"\x01cannot connect to port 4620")
    await pod.receive()


@contextmanager
def api_server(folder: Path, pod: Pod | None) -> Iterator[Connection]:
    """An API server that forwards to such a pod over TLS; None: it answers 403."""
    authority = Authority("test")
    authority.issue("server", hosts=("127.0.0.1",)).write(folder, "server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")

    async def forward(request: web.Request) -> web.StreamResponse:
        assert request.headers["authorization"] == "Bearer a-token"
        assert request.query["ports"] == str(TARGET.port)
        if pod is None:
            return web.Response(status=403, reason="Forbidden")
        answer = web.WebSocketResponse(protocols=(PROTOCOL,))
        await answer.prepare(request)
        for channel in (0, 1):
            await answer.send_bytes(bytes((channel,)) + TARGET.port.to_bytes(2, "little"))
        await pod(answer)
        return answer

    async def serve() -> None:
        app = web.Application()
        app.router.add_get(PATH, forward)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.SockSite(runner, listening, ssl_context=context).start()
        started.set()
        await over.wait()
        await runner.cleanup()

    loop, over, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        assert started.wait(WITHIN_S)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        document = kubeconfigs.by_token(url, authority.credential.certificate, "a-token")
        yield connect(kubeconfigs.written(document, folder / "kubeconfig"))
        loop.call_soon_threadsafe(over.set)
        thread.join(WITHIN_S)
    loop.close()


def asked(way: Relay, words: bytes = b"GET /") -> bytes:
    """All that comes for these words until the end of the connection, however that is told."""
    found = b""
    local = socket.create_connection(("127.0.0.1", way.port), WITHIN_S)
    with local, suppress(ConnectionResetError):
        local.sendall(words)
        while piece := local.recv(65_536):
            found += piece
    return found


def test_bytes_come_back_whole_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """A megabyte each way; afterwards no thread of it runs and no socket is open."""
    before = set(threading.enumerate())
    with api_server(tmp_path, echo) as api:
        serving = set(threading.enumerate())
        with relay(api, TARGET) as way:
            local = socket.create_connection(("127.0.0.1", way.port), WITHIN_S)
            with local, local.makefile("rb") as answers:
                sending = threading.Thread(target=local.sendall, args=(ANSWER,))
                sending.start()
                assert answers.read(len(ANSWER)) == ANSWER
                sending.join(WITHIN_S)
            assert way.failure is None
        eventually(lambda: set(threading.enumerate()) <= serving)
    gc.collect()
    eventually(lambda: set(threading.enumerate()) <= before)


@pytest.mark.parametrize("turn", range(5))
def test_an_answer_right_before_the_end_is_not_lost(tmp_path: Path, turn: int) -> None:
    """The pod's side closes first: all of its last words, then the end, and no open socket."""
    with api_server(tmp_path, answer_and_close) as api, relay(api, TARGET) as way:
        assert asked(way) == ANSWER, turn
    gc.collect()


def test_a_connection_that_breaks_ends_at_once_with_a_reason(tmp_path: Path) -> None:
    """The caller does not wait for its own timeout, and nothing is printed by a thread."""
    with api_server(tmp_path, break_off) as api, relay(api, TARGET) as way:
        assert asked(way) == b""
        assert isinstance(way.failure, ForwardError)
        assert "broke" in str(way.failure)
    gc.collect()


def test_what_is_refused_says_why(tmp_path: Path) -> None:
    """A right that is missing by its status; a pod that takes no connection in its own words."""
    with api_server(tmp_path, None) as api, relay(api, TARGET) as way:
        assert asked(way) == b""
        assert way.failure is not None
        assert (way.failure.status, str(way.failure)) == (403, "Forbidden")
    with api_server(tmp_path, refuse) as api, relay(api, TARGET) as way:
        assert asked(way) == b""
        assert str(way.failure) == "cannot connect to port 4620"


def test_a_relay_that_is_closed_ends_what_runs(tmp_path: Path) -> None:
    """A caller who still waits hears the end."""
    with api_server(tmp_path, echo) as api:
        with relay(api, TARGET) as way:
            local = socket.create_connection(("127.0.0.1", way.port), WITHIN_S)
            local.sendall(b"hello")
            assert local.recv(5) == b"hello"
        with local:
            assert local.recv(5) == b""
