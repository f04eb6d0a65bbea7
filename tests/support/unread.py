"""A caller that asks and then reads nothing: its TCP window fills, its connection stays open."""

from __future__ import annotations

import json
import socket
from typing import Any

SMALL_WINDOW_BYTES = 4096


def ask_and_read_nothing(url: str, body: dict[str, Any]) -> socket.socket:
    """The call on a connection of its own, with the smallest window that the system gives."""
    host, port = url.removeprefix("http://").split(":")
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW_BYTES)
    peer.settimeout(20)
    peer.connect((host, int(port)))
    content = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n"
    peer.sendall(head.encode() + b"\r\n" + content)
    return peer


def call_id_of(peer: socket.socket) -> str:
    """The call's id from the answer's head, which stays unread."""
    head = peer.recv(SMALL_WINDOW_BYTES, socket.MSG_PEEK)
    assert head.startswith(b"HTTP/1.1 200 "), head
    rows = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    (own,) = [row for row in rows if row.startswith("x-pointsman-request-id: ")]
    return own.partition(": ")[2]


def rest_of(peer: socket.socket) -> bytes:
    """What still comes; a reset ends it like a close."""
    said = b""
    try:
        while piece := peer.recv(1 << 20):
            said += piece
    except ConnectionResetError:
        return said
    return said
