"""A local port whose connections end at a pod's port, through the API server.

What `kubectl port-forward` does, for the one command that runs: TLS goes through end to end, the
relay sees ciphertext only. Each connection is a websocket and a thread of its own. The official
client opens it; its own forwarder is not used, because it loses what comes while either side
closes, leaves sockets open, and what breaks in its thread reaches nobody but the terminal.
"""

from __future__ import annotations

import re
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote

from kubernetes.stream import ws_client
from websocket import ABNF, WebSocket, WebSocketException

from pointsman_operator.kube.connection import Connection

CHUNK_BYTES = 65_536
CONNECTIONS_WAITING = 8
STALLED_AFTER_S = 30.0
"""Within one frame, or with one that nobody takes."""
ENDED_WITHIN_S = 2.0
"""How long `close` waits for what still runs."""
DATA, ERROR = 0, 1
"""The channels of the one port, a frame's first byte. Each begins with a frame that names it."""


class ForwardError(Exception):
    """The API server does not forward, or the pod does not take the connection."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """The API server's HTTP status; 0 where it was not that."""


@dataclass(frozen=True)
class PodPort:
    """One port of a pod."""

    namespace: str
    pod: str
    port: int


class Relay:
    """Listens on loopback while it is open."""

    def __init__(self, connection: Connection, target: PodPort) -> None:
        self.failure: ForwardError | None = None
        """Why a connection was not taken or broke, if one did."""
        self._connection = connection
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS_WAITING)
        self._carried: list[tuple[socket.socket, threading.Thread]] = []

    @property
    def port(self) -> int:
        """The local port."""
        return int(self._server.getsockname()[1])

    def serve(self) -> None:
        """Take connections until closed."""
        while True:
            try:
                local, _ = self._server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._carry, args=(local,), daemon=True)
            self._carried.append((local, thread))
            thread.start()

    def close(self) -> None:
        """Listen no more, and end what runs."""
        for one in (self._server, *(local for local, _ in self._carried)):
            # Wakes the thread that waits for it, which then closes its own.
            _end(one)
        self._server.close()
        for _, thread in self._carried:
            thread.join(ENDED_WITHIN_S)

    def _carry(self, local: socket.socket) -> None:
        """One connection, from its beginning to its end."""
        with local:
            try:
                with _opened(self._connection, self._target) as (pod, wire):
                    _Passage(local, pod, wire).run()
            except ForwardError as error:
                # Before the local side hears of the end: whoever does, asks why.
                self.failure = error


class _Passage:
    """Bytes both ways between a local connection and a pod's port.

    One thread for both, because a TLS connection is not for two at a time.
    """

    def __init__(self, local: socket.socket, pod: WebSocket, wire: socket.socket) -> None:
        """`wire`: what the websocket's frames go through."""
        self._local = local
        self._pod = pod
        self._wire = wire
        self._begun: set[int] = set()

    def run(self) -> None:
        """Copy until either side ends; raises `ForwardError` where the pod's side breaks."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._local, selectors.EVENT_READ)
            waiting.register(self._wire, selectors.EVENT_READ)
            while True:
                # TLS may hold what no selector knows of.
                held = isinstance(self._wire, ssl.SSLSocket) and self._wire.pending() > 0
                ready = [key.fileobj for key, _ in waiting.select(0 if held else None)]
                if self._local in ready and not self._send():
                    return
                if (held or self._wire in ready) and not self._receive():
                    return

    def _send(self) -> bool:
        """What the local side has to say; False: it has gone."""
        try:
            data = self._local.recv(CHUNK_BYTES)
        except OSError:
            return False
        if data:
            with _telling():
                self._pod.send_binary(bytes((DATA,)) + data)
        return bool(data)

    def _receive(self) -> bool:
        """One frame of the pod's; False: it ends, or the local side takes no more."""
        with _telling():
            kind, frame = self._pod.recv_data_frame(control_frame=True)
        if kind != ABNF.OPCODE_BINARY or not frame.data:
            return bool(kind != ABNF.OPCODE_CLOSE)
        channel, data = frame.data[0], frame.data[1:]
        if channel not in self._begun:
            self._begun.add(channel)
            return True
        if channel == ERROR:
            raise ForwardError(data.decode(errors="replace").strip())
        try:
            self._local.sendall(data)
        except OSError:
            return False
        return True


@contextmanager
def relay(connection: Connection, target: PodPort) -> Iterator[Relay]:
    """An open relay, while the block runs."""
    opened = Relay(connection, target)
    threading.Thread(target=opened.serve, daemon=True, name="relay").start()
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def _opened(connection: Connection, target: PodPort) -> Iterator[tuple[WebSocket, socket.socket]]:
    """The websocket to a pod's port, and what it goes through; raises `ForwardError`."""
    place = f"/api/v1/namespaces/{quote(target.namespace)}/pods/{quote(target.pod)}/portforward"
    url = ws_client.get_websocket_url(f"{connection.server}{place}?ports={target.port}")
    headers = {"sec-websocket-protocol": ws_client.V4_CHANNEL_PROTOCOL}
    if authorization := connection.authorization():
        headers["authorization"] = authorization
    try:
        pod: WebSocket = ws_client.create_websocket(connection.configuration, url, headers)
    except (WebSocketException, OSError, ValueError) as error:
        raise _refusal(str(error)) from error
    wire = pod.sock
    if wire is None:
        raise ForwardError("the API server closed the connection at once")
    try:
        pod.settimeout(STALLED_AFTER_S)
        yield pod, wire
        # The API server may have gone first.
        with suppress(WebSocketException, OSError):
            pod.send_close()
    finally:
        pod.shutdown()


@contextmanager
def _telling() -> Iterator[None]:
    """Say what broke between us and the API server."""
    try:
        yield
    except (WebSocketException, OSError) as error:
        raise ForwardError(f"the connection through the API server broke: {error}") from error


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _refusal(reason: str) -> ForwardError:
    """The websocket library's words hold status, headers and body; people need the first."""
    handshake = re.match(r"Handshake status (\d+) ([^-]*)", reason)
    if handshake is None:
        return ForwardError(reason)
    return ForwardError(handshake[2].strip(), int(handshake[1]))
