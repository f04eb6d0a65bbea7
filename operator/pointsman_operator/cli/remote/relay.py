"""A local port whose connections end at a pod's port, through the API server.

What `kubectl port-forward` does, for the one command that runs: TLS goes through end to end, the
relay sees ciphertext only. Each connection is a websocket of its own.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kubernetes import client, stream

from pointsman_operator.kube.connection import Connection

CHUNK_BYTES = 65_536
CONNECTIONS_WAITING = 8


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
        self._target = target
        # A client of its own: the websocket calls replace its way to send while they run.
        self._api = client.CoreV1Api(connection.blocking())
        self._server = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS_WAITING)
        self._forwards: list[Any] = []
        self._locals: list[socket.socket] = []
        self._failure: ForwardError | None = None

    @property
    def port(self) -> int:
        """The local port."""
        return int(self._server.getsockname()[1])

    @property
    def failure(self) -> ForwardError | None:
        """Why a connection was not taken, if one was not."""
        if self._failure is not None:
            return self._failure
        told = [forward.error(self._target.port) for forward in self._forwards]
        return next((ForwardError(sentence.strip()) for sentence in told if sentence), None)

    def serve(self) -> None:
        """Take connections until closed."""
        while True:
            try:
                local, _ = self._server.accept()
            except OSError:
                return
            self._locals.append(local)
            try:
                forward = self._open()
            except ForwardError as error:
                self._failure = error
                _end(local)
                continue
            self._forwards.append(forward)
            pod = forward.socket(self._target.port)
            for source, sink in ((local, pod), (pod, local)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def close(self) -> None:
        """Listen no more and end what runs."""
        for one in (self._server, *self._locals):
            # Wakes the thread that waits for it.
            _end(one)
            one.close()
        for forward in self._forwards:
            forward.close()
        self._api.api_client.close()

    def _open(self) -> Any:
        target = self._target
        try:
            return stream.portforward(
                self._api.connect_get_namespaced_pod_portforward,
                target.pod,
                target.namespace,
                ports=str(target.port),
            )
        except client.ApiException as error:
            raise _refusal(str(error.reason)) from error


@contextmanager
def relay(connection: Connection, target: PodPort) -> Iterator[Relay]:
    """An open relay, while the block runs."""
    opened = Relay(connection, target)
    threading.Thread(target=opened.serve, daemon=True, name="relay").start()
    try:
        yield opened
    finally:
        opened.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until either side ends; then the other is told."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    for one in (source, sink):
        _end(one)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _refusal(reason: str) -> ForwardError:
    """The websocket library's words hold status, headers and body; people need the first."""
    handshake = re.match(r"Handshake status (\d+) ([^-]*)", reason)
    if handshake is None:
        return ForwardError(reason)
    return ForwardError(handshake[2].strip(), int(handshake[1]))
