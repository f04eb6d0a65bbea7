"""Runs in a pod: speaks TLS where the hub would, and says who asked for what under which name."""

from __future__ import annotations

import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class StandIn(BaseHTTPRequestHandler):
    """One Budget account, whose name is what the caller sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer `GET /v1/budgets`."""
        money = dict.fromkeys(
            ("limit", "settled", "unconfirmed", "leased", "available", "overrun"), 0
        )
        seen = "|".join((self.headers["host"], self.headers["authorization"], self.path))
        row = money | {"account": seen, "window": "w", "resets_at": "", "declared": True}
        # Larger than any buffer on the way: the relay must not lose a byte.
        body = json.dumps([row, row | {"account": "x" * 3_000_000}]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("", 4620), StandIn)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
