"""Runs in a pod: answers every GET on port 8000 with a greeting."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Greeter(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        """Whatever the path."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")


ThreadingHTTPServer(("", 8000), Greeter).serve_forever()
