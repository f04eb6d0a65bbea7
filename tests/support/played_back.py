"""A provider that says what another once said, byte for byte."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GAP_BYTES = 997
"""What goes out at a time: no event's length."""


@dataclass
class PlayedBack:
    """What it says next, and where it is."""

    url: str = ""
    status: int = 200
    kind: str = "application/json"
    body: bytes = b""
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and body of each request."""

    def say(self, status: int, kind: str, body: bytes) -> None:
        """From now on."""
        self.status, self.kind, self.body = status, kind, body


@contextmanager
def played_back() -> Iterator[PlayedBack]:
    """Serving on loopback as long as the block runs."""
    saying = PlayedBack()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            saying.asked.append((self.path, self.rfile.read(length)))
            self.send_response(saying.status)
            self.send_header("content-type", saying.kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for at in range(0, len(saying.body), GAP_BYTES):
                piece = saying.body[at : at + GAP_BYTES]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing: the tests look at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    saying.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield saying
    finally:
        server.shutdown()
        server.server_close()
