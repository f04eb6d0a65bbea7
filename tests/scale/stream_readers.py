"""One process that holds many TLS streams and says when all have been told something.

A child of `hub_streams` and of `flapping_health`. Nothing is kept a stream but its socket and the
start of the line that it is in; every answer is read into one buffer made beforehand, so that the
machine's memory goes to the hub's side. Standard input names a digest a line, or `down MODEL`, or
`up MODEL`; the answer, one JSON line, comes when every stream has read the whole `table` event of
that digest, or its last `health` event says that.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_HEAD_BYTES = 160
"""As much of a line as shows which event and digest it is."""
_BUFFER_BYTES = 256 * 1024
_TABLE = b'{"event":"table"'
_HEALTH = b'{"down":'


@dataclass(slots=True)
class Stream:
    """One open stream."""

    connection: ssl.SSLSocket
    head: bytes = b""
    digest: bytes = b""
    """Of the last table that was read whole."""
    health: bytes = b""
    """The last event of that kind, as much of it as is kept."""

    def take(self, chunk: bytes) -> None:
        """Go on with the lines."""
        first, *others = chunk.split(b"\n")
        head = (self.head + first)[:_HEAD_BYTES]
        for other in others:
            if head.startswith(_TABLE):
                self.digest = head[head.index(b"sha256:") :][:71]
            elif head.startswith(_HEALTH):
                self.health = head
            head = other[:_HEAD_BYTES]
        self.head = head

    def has(self, wanted: bytes) -> bool:
        """Whether it has been told that."""
        kind, _, model = wanted.partition(b" ")
        if kind in {b"down", b"up"}:
            return (b'"%b":' % model in self.health) == (kind == b"down")
        return self.digest == wanted


def main() -> int:
    """Open the streams, then answer for everything asked about."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--token", type=Path, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--streams", type=int, required=True)
    arguments = parser.parse_args()
    context = ssl.create_default_context(cafile=str(arguments.ca))
    token = arguments.token.read_text().strip()
    poll = select.epoll()
    streams: dict[int, Stream] = {}
    for number in range(arguments.first, arguments.first + arguments.streams):
        stream = open_stream(context, arguments.port, token, number)
        streams[stream.connection.fileno()] = stream
        poll.register(stream.connection.fileno(), select.EPOLLIN)
    buffer = bytearray(_BUFFER_BYTES)
    for line in sys.stdin:
        _say(read_until(poll, streams, line.strip().encode(), buffer))
    return 0


def open_stream(context: ssl.SSLContext, port: int, token: str, number: int) -> Stream:
    """Connect, shake hands and ask; the answer is read later."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=120)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = context.wrap_socket(plain, server_hostname="localhost")
    query = f"sidecar=s{number}&boot=1&namespace=demo&workload=support"
    head = f"GET /v1/stream?{query} HTTP/1.1\r\nhost: localhost\r\n"
    connection.sendall(f"{head}authorization: Bearer {token}\r\n\r\n".encode())
    connection.setblocking(False)
    return Stream(connection)


def read_until(
    poll: select.epoll, streams: dict[int, Stream], wanted: bytes, buffer: bytearray
) -> dict[str, float]:
    """Read on until every stream has been told that; when the first and the last were."""
    left = {number for number, stream in streams.items() if not stream.has(wanted)}
    first = last = time.monotonic()
    before = len(left)
    while left:
        for number, _ in poll.poll(1.0):
            _drain(streams[number], buffer)
            if number in left and streams[number].has(wanted):
                last = time.monotonic()
                first = last if len(left) == before else first
                left.discard(number)
    return {"first": first, "last": last, "streams": len(streams)}


def _drain(stream: Stream, buffer: bytearray) -> None:
    view = memoryview(buffer)
    while True:
        try:
            size = stream.connection.recv_into(view)
        except ssl.SSLWantReadError:
            return
        if size == 0:
            raise ConnectionError("the hub ended a stream")
        stream.take(bytes(view[:size]))


def _say(answer: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
