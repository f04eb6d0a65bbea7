"""A hub over real HTTP that says what a test tells it to, to hold the sidecar's client against."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

CLOSE = "close"


@dataclass
class ScriptedHub:
    """What streams say and what was asked of it."""

    script: queue.Queue[dict[str, Any] | bytes | str] = field(default_factory=queue.Queue)
    streams: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    syncs: list[dict[str, Any]] = field(default_factory=list)
    """What else was posted: the engine's, to the ledger. It gets no answer that it can read."""
    report_status: int = 200
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """One request to the scripted hub."""

    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> ScriptedHub:
        """The script that this server follows."""
        return cast("HubServer", self.server).hub

    def do_GET(self) -> None:
        """The stream: lines from the script until it says close."""
        self.hub.tokens.append(self.headers["authorization"])
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        self.hub.streams.append({name: values[0] for name, values in query.items()})
        self.send_response(200)
        self.send_header("connection", "close")
        self.end_headers()
        while (item := self.hub.script.get()) != CLOSE:
            line = item if isinstance(item, bytes) else json.dumps(item).encode() + b"\n"
            self.wfile.write(line)
            self.wfile.flush()
        self.close_connection = True

    def do_POST(self) -> None:
        """A report, or a sync."""
        body = self.rfile.read(int(self.headers["content-length"]))
        kept = self.hub.reports if self.path == "/v1/reports" else self.hub.syncs
        if self.hub.report_status == 200:
            kept.append(json.loads(body))
        self.send_response(self.hub.report_status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: pytest shows what matters."""


class HubServer(ThreadingHTTPServer):
    """Carries the script to its handlers."""

    daemon_threads = True
    hub: ScriptedHub


@contextmanager
def scripted_hub() -> Iterator[ScriptedHub]:
    """Serve on loopback while the block runs."""
    server = HubServer(("127.0.0.1", 0), Handler)
    server.hub = ScriptedHub(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.hub
    finally:
        for _ in server.hub.streams:
            server.hub.script.put(CLOSE)
        server.shutdown()
        server.server_close()
        thread.join()
