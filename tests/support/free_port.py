"""Loopback ports for servers that must come back at the same address."""

from __future__ import annotations

import itertools
import random
import socket

PORTS = 20_000, 30_000
"""Below the ports of outgoing connections and of servers that let the system choose: none of those
takes one of these between the look and the use."""
# By the system's chance: a seed would let processes that run beside each other begin alike. None
# comes twice before all have.
_candidates = itertools.cycle(random.SystemRandom().sample(range(*PORTS), PORTS[1] - PORTS[0]))


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = next(_candidates)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
