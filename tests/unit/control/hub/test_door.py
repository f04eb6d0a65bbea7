"""Connections come in by turns, and who says nothing holds nobody up."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pointsman_operator.hub import limits
from pointsman_operator.hub.door import Door
from scale.certificate import write_certificate

MANY = 5 * limits.ADMITTED_AT_ONCE


class Guest(asyncio.Protocol):
    """Says its own port, once it is in."""

    def __init__(self, came: list[int]) -> None:
        self._came = came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is in."""
        self._came.append(transport.get_extra_info("peername")[1])
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"in\n")


@asynccontextmanager
async def opened(came: list[int], context: ssl.SSLContext | None = None) -> AsyncIterator[Door]:
    """A door on loopback."""
    door = Door(lambda: Guest(came), context)
    await door.open("127.0.0.1", 0)
    try:
        yield door
    finally:
        door.close()


async def test_everybody_comes_in_by_turns() -> None:
    """The one that has waited longest begins first, however many knock in one moment."""
    came: list[int] = []
    async with opened(came) as door:
        # The loop does not run meanwhile: they all wait when it does.
        knocking = [socket.create_connection(door.address) for _ in range(MANY)]
        ports = [each.getsockname()[1] for each in knocking]
        for each in knocking:
            each.setblocking(False)
            assert await asyncio.get_running_loop().sock_recv(each, 3) == b"in\n"
            each.close()
        assert came == ports


async def test_who_says_nothing_holds_nobody_up(tmp_path: Path) -> None:
    """Many connections without a handshake, and the next caller is in all the same."""
    write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    trust = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
    came: list[int] = []
    async with opened(came, context) as door, asyncio.timeout(limits.HANDSHAKE_WITHIN_S - 1):
        silent = [socket.create_connection(door.address) for _ in range(MANY)]
        reader, writer = await asyncio.open_connection(
            *door.address, ssl=trust, server_hostname="localhost"
        )
        assert await reader.readline() == b"in\n"
        writer.transport.abort()
        for each in silent:
            each.close()
    assert len(came) == 1


async def test_who_has_given_up_costs_nothing() -> None:
    """Those that left while they waited are not begun with; the next one is in."""
    came: list[int] = []
    async with opened(came) as door:
        for _ in range(MANY):
            socket.create_connection(door.address).close()
        patient = socket.create_connection(door.address)
        port = patient.getsockname()[1]
        patient.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(patient, 3) == b"in\n"
        patient.close()
        assert came == [port]


async def test_who_was_reset_before_it_came_in_leaves_no_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the connection cannot even be prepared it is closed, and the next one is in."""
    came: list[int] = []
    refused: list[socket.socket] = []
    prepare = socket.socket.setblocking

    def reset_at_first(accepted: socket.socket, flag: bool) -> None:  # noqa: FBT001 - as it is called
        if accepted.getsockname()[1] != port or refused:
            prepare(accepted, flag)
            return
        refused.append(accepted)
        raise ConnectionResetError

    async with opened(came) as door:
        port = door.address[1]
        monkeypatch.setattr(socket.socket, "setblocking", reset_at_first)
        first, second = (socket.create_connection(door.address) for _ in range(2))
        second.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(second, 3) == b"in\n"
        assert [each.fileno() for each in refused] == [-1]
        assert came == [second.getsockname()[1]]
        first.close()
        second.close()


async def test_a_closed_door_lets_nobody_in() -> None:
    """Who still waits is turned away, so that it comes to another hub at once."""
    came: list[int] = []
    async with opened(came) as door:
        waiting = socket.create_connection(door.address)
    waiting.setblocking(False)
    with suppress(ConnectionResetError):
        assert await asyncio.get_running_loop().sock_recv(waiting, 3) == b""
    waiting.close()
    assert came == []
