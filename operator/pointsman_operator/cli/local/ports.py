"""Where the parts of the local stack listen."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Addresses on loopback."""

    data: str
    admin: str
    debug: str
    hub: str

    @classmethod
    def beginning_at(cls, port: int) -> Ports:
        """Four in a row; 0 picks four that are free now."""
        numbers = free_ports(4) if port == 0 else [port, port + 1, port + 2, port + 3]
        return cls(*(f"{HOST}:{number}" for number in numbers))

    def taken(self) -> list[str]:
        """Those that somebody listens on."""
        return [
            address for address in (self.data, self.admin, self.debug, self.hub) if busy(address)
        ]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago; held together, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def busy(address: str) -> bool:
    """Whether something listens there."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, int(port))) == 0
