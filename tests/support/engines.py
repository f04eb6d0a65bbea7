"""Engines as the hub sees them: pages of figures over real HTTP, on loopback addresses of pods."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FREE = "vllm:num_requests_waiting 0\nvllm:num_requests_running 0\n"


class Engine:
    """One address; what it says is set by the test."""

    def __init__(self, host: str, port: int = 0) -> None:
        self.page = FREE
        self.asked: list[str] = []
        """Paths, in order."""
        self.status = 200
        self.sleep_answer: bytes | None = None
        """What `/is_sleeping` says; None: there is no such path."""
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                engine.asked.append(self.path)
                answers = {"/metrics": engine.page.encode(), "/is_sleeping": engine.sleep_answer}
                body = answers.get(self.path)
                self.send_response(404 if body is None else engine.status)
                body = body or b"{}"
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Tests read what is kept, not a log."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.host, self.port = host, self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    def waits(self, calls: int) -> None:
        """So many calls wait from now on."""
        self.page = f"vllm:num_requests_waiting {calls}\nvllm:num_requests_running 2\n"

    def sleeps(self, *, asleep: bool) -> None:
        """Asleep or awake from now on."""
        awake = 0 if asleep else 1
        self.page = FREE + f'vllm:engine_sleep_state{{sleep_state="awake"}} {awake}\n'

    def stop(self) -> None:
        """Nobody answers any more."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def engines(count: int) -> Iterator[list[Engine]]:
    """Engines on 127.0.0.2 and up, all on the same port, as pods of one Deployment are."""
    first = Engine("127.0.0.2")
    made = [first, *(Engine(f"127.0.0.{2 + n}", first.port) for n in range(1, count))]
    try:
        yield made
    finally:
        for engine in made:
            engine.stop()
