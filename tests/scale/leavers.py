"""A caller that leaves in mid-stream."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing

from support.line import asked


def leave(url: str, after_s: float) -> str:
    """Begin a stream, read for so long, close; returns the call's id."""
    host, port = url.removeprefix("http://").split(":")
    content = json.dumps(asked(stream=True)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    with closing(socket.create_connection((host, int(port)), timeout=30)) as peer:
        peer.sendall(head.encode() + content)
        said = peer.recv(65_536)
        until = time.monotonic() + after_s
        while (left := until - time.monotonic()) > 0:
            peer.settimeout(left)
            try:
                said += peer.recv(65_536)
            except TimeoutError:
                break
    rows = said.decode().lower().split("\r\n")
    (own,) = [row.split(": ")[1] for row in rows if row.startswith("x-pointsman-request-id")]
    return own
