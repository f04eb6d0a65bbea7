"""Measure the hub's resident memory a stream over TLS, for each event loop and kind of answer.

Run by hand (`python tests/scale/hub_stream_memory.py`); the figures are in docs/decisions.md. A
child process serves an endless NDJSON stream with FastAPI and uvicorn, another holds N TLS
connections that have read their first line; the difference in the server's RSS between 0 and N
streams is divided by N.
"""

from __future__ import annotations

import argparse
import asyncio
import asyncio.sslproto
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

sys.path.insert(0, str(Path(__file__).parents[1]))

from scale.certificate import write_certificate

LIMIT_KIB = 60
WARM_STREAMS = 50
TOKEN = "measured"
COMBINATIONS = (
    ("asyncio", 256, "streaming"),
    ("asyncio", 16, "streaming"),
    ("asyncio", 16, "lean"),
    ("uvloop", 256, "streaming"),
    ("uvloop", 256, "lean"),
    ("uvloop", 256, "hub"),
)


class LeanStream(Response):
    """One coroutine and one future a stream, where StreamingResponse opens an anyio task group."""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send a line now and every ten seconds until the peer has gone."""
        gone = asyncio.ensure_future(_until_gone(receive))
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while not gone.done():
            body = b'{"event":"ping"}\n'
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.wait([gone], timeout=10)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def main() -> int:
    """Measure every combination, one JSON line each; 1 when the best one is over the limit."""
    arguments = _arguments()
    if arguments.serve:
        return _serve(arguments)
    if arguments.hold:
        asyncio.run(_hold(arguments))
        return 0
    best = float("inf")
    for loop, buffer_kib, answer in COMBINATIONS:
        for streams in arguments.streams:
            row = _measure(loop, buffer_kib, answer, streams)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
            best = min(best, float(row["kib_per_stream"]))
    return 0 if best <= LIMIT_KIB else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--hold", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--loop", default="asyncio", help=argparse.SUPPRESS)
    parser.add_argument("--answer", default="lean", help=argparse.SUPPRESS)
    parser.add_argument("--buffer-kib", type=int, default=256, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(loop: str, buffer_kib: int, answer: str, streams: int) -> dict[str, float | str]:
    with tempfile.TemporaryDirectory() as folder:
        write_certificate(Path(folder))
        port = str(20000 + streams % 7919)
        shared = ["--folder", folder, "--port", port]
        (Path(folder) / "token").write_text(TOKEN)
        (Path(folder) / "token").chmod(0o600)
        choice = ["--loop", loop, "--buffer-kib", str(buffer_kib), "--answer", answer]
        serve = [__file__, "--serve", *choice, *shared]
        if answer == "hub":
            serve = ["-m", "pointsman_operator.hub", "--state", folder]
            serve += ["--listen", f"127.0.0.1:{port}", "--log-level", "warning"]
            serve += ["--tls-cert", f"{folder}/tls.crt", "--tls-key", f"{folder}/tls.key"]
        server = subprocess.Popen([sys.executable, *serve])
        try:
            # The first connections pay for lazy imports and caches: the base line comes after.
            _hold_while(shared, WARM_STREAMS, server.pid)
            before = _rss_kib(server.pid)
            during = _hold_while(shared, streams, server.pid)
        finally:
            server.terminate()
            server.wait(timeout=20)
    per_stream = round((during - before) / streams, 1)
    return {
        "loop": loop,
        "tls_buffer_kib": buffer_kib,
        "answer": answer,
        "streams": streams,
        "rss_base_kib": before,
        "rss_kib": during,
        "kib_per_stream": per_stream,
    }


def _hold_while(shared: list[str], streams: int, server: int) -> int:
    client = subprocess.Popen(
        [sys.executable, __file__, "--hold", str(streams), *shared],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if client.stdin is None or client.stdout is None:
        raise AssertionError
    if client.stdout.readline() != b"held\n":
        raise RuntimeError("the client could not open its streams")
    rss = _rss_kib(server)
    client.communicate(b"done\n", timeout=60)
    return rss


def _rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def _serve(arguments: argparse.Namespace) -> int:
    app = FastAPI()

    @app.get("/v1/stream")
    async def stream() -> Response:
        if arguments.answer == "lean":
            return LeanStream()
        return StreamingResponse(_events(), media_type="application/x-ndjson")

    asyncio.sslproto.SSLProtocol.max_size = arguments.buffer_kib * 1024
    uvicorn.run(
        app,
        port=arguments.port,
        loop=arguments.loop,
        log_level="warning",
        access_log=False,
        ssl_certfile=str(arguments.folder / "tls.crt"),
        ssl_keyfile=str(arguments.folder / "tls.key"),
        timeout_graceful_shutdown=1,
        backlog=4096,
    )
    return 0


async def _events() -> AsyncIterator[bytes]:
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)
    while True:
        yield b'{"event":"ping"}\n'
        try:
            yield await asyncio.wait_for(queue.get(), timeout=10)
        except TimeoutError:
            continue


async def _hold(arguments: argparse.Namespace) -> None:
    context = ssl.create_default_context(cafile=str(arguments.folder / "tls.crt"))
    gate = asyncio.Semaphore(64)
    await _until_listening(arguments.port)
    held = await asyncio.gather(
        *(_open_stream(context, arguments.port, gate) for _ in range(arguments.hold))
    )
    sys.stdout.write("held\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    for writer in held:
        writer.transport.abort()


async def _open_stream(
    context: ssl.SSLContext, port: int, gate: asyncio.Semaphore
) -> asyncio.StreamWriter:
    async with gate:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost", limit=4096
        )
        query = "sidecar=s&boot=1&namespace=demo&workload=support"
        head = f"GET /v1/stream?{query} HTTP/1.1\r\nhost: localhost\r\n"
        writer.write(f"{head}authorization: Bearer {TOKEN}\r\n\r\n".encode())
        await reader.readuntil(b"ping")
        return writer


async def _until_listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError("the server did not start")


if __name__ == "__main__":
    sys.exit(main())
