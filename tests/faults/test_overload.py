"""Short of room: who is refused, in which words, and in which order."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, asked, line
from support.tables import model, route, table

MEMORY = 8 << 20
"""Room for 128 calls and 3.2 MiB of bodies."""
CALLS, NORMAL, LOW = 128, 115, 64
LOW_BYTES = MEMORY * 40 // 100 // 2


def ranked(made: Line) -> dict[str, Any]:
    """One rule a priority; all to one provider."""
    patient = {"firstTokenMs": 60_000, "streamIdleMs": 60_000, "totalMs": 120_000}
    rules = [
        {
            "name": name,
            "when": {"models": [name]},
            "route": route("a", timeouts=patient, **({"priority": rank} if rank else {})),
        }
        for name, rank in (("bulk", "Low"), ("auto", None), ("desk", "High"))
    ]
    return table([model("a", made.url("a"), contextWindow=10**9)], rules)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Line]:
    """A sidecar that is given little memory."""
    with line(tmp_path, "a", build=ranked, POINTSMAN_MEMORY_LIMIT_BYTES=str(MEMORY)) as made:
        made.script("a", {"acceptAndStall": True}, model="a-2026")
        yield made


def dial(made: Line) -> socket.socket:
    """A raw connection to the data port."""
    host, port = made.sidecar.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def fill(made: Line, held: ExitStack, name: str, calls: int) -> None:
    """So many calls that stay open, until the sidecar has `calls` in all."""
    content = json.dumps(asked(model=name)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    for _ in range(calls - in_flight(made)):
        peer = held.enter_context(closing(dial(made)))
        peer.sendall(head.encode() + content)
    eventually(lambda: in_flight(made) == calls)


def in_flight(made: Line) -> int:
    """Calls in flight."""
    return int(made.sidecar.state()["in_flight"])


def refused(made: Line, name: str) -> None:
    """A 503 that says when to come again."""
    answer = made.chat(model=name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded"), answer.text
    assert answer.headers["retry-after"] == "1"


def test_the_least_important_are_refused_first(small: Line) -> None:
    """Low at half of the room, normal where only the reserve is left, high when it is full."""
    with ExitStack() as held:
        fill(small, held, "bulk", LOW)
        refused(small, "bulk")
        fill(small, held, "auto", NORMAL)
        refused(small, "bulk")
        refused(small, "auto")
        fill(small, held, "desk", CALLS)
        refused(small, "desk")
        assert in_flight(small) == CALLS
    eventually(lambda: in_flight(small) == 0)
    small.script("a")
    assert {small.chat(model=name).status_code for name in ("bulk", "auto", "desk")} == {200}


def test_large_bodies_of_low_priority_give_way(small: Line) -> None:
    """Half of the room for bodies is what they get; the same body of a normal rule is answered."""
    small.script("a")
    large = "x" * (LOW_BYTES + 1)
    refused_one = small.chat(model="bulk", text=large)
    assert (refused_one.status_code, refused_one.json()["error"]["code"]) == (503, "overloaded")
    assert small.chat(model="auto", text=large).status_code == 200


PATHS: dict[str, tuple[str, int, Any]] = {
    "/v1/chat/completions": ("error", 503, "overloaded"),
    "/v1/completions": ("error", 503, "overloaded"),
    "/v1/responses": ("error", 503, "overloaded"),
    "/v1/embeddings": ("error", 503, "overloaded"),
    "/v1/messages": ("anthropic", 503, "overloaded_error"),
    "/v1beta/models/auto:generateContent": ("gemini", 503, "UNAVAILABLE"),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_full_router_says_so_before_the_body_in_the_surfaces_own_words(
    small: Line, path: str
) -> None:
    """At the head, with `expect` no 100 comes; at once, and with Retry-After."""
    with ExitStack() as held:
        fill(small, held, "desk", CALLS)
        with closing(dial(small)) as late:
            late.sendall(
                f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n"
                "expect: 100-continue\r\n\r\n".encode()
            )
            said = b""
            while piece := late.recv(65536):
                said += piece
    head, _, body = said.partition(b"\r\n\r\n")
    shape, status, word = PATHS[path]
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), said
    assert b"retry-after: 1" in head
    error = json.loads(body)["error"]
    assert {"error": "code", "anthropic": "type", "gemini": "status"}[shape] in error
    assert word in (error.get("code"), error.get("type"), error.get("status")), error


def test_who_asks_first_is_told_to_go_on_where_there_is_room(small: Line) -> None:
    """`expect: 100-continue` gets its 100 and then its answer."""
    small.script("a")
    content = json.dumps(asked(model="auto")).encode()
    with closing(dial(small)) as peer:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
        peer.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode())
        assert peer.recv(65536).startswith(b"HTTP/1.1 100 ")
        peer.sendall(content)
        assert peer.recv(65536).startswith(b"HTTP/1.1 200 ")
