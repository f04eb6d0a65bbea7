"""Loopback ports for servers that must come back at the same address."""

from __future__ import annotations

import random
import socket

PORTS = 20_000, 30_000
"""Below the ports of outgoing connections and of servers that let the system choose: none of those
takes one of these between the look and the use."""


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
