"""I6: under overload all that grows has an end, and callers are told before it is reached."""

from __future__ import annotations

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, asked, line
from support.tables import model, route, table

IN_FLIGHT = 4_096
DESCRIPTORS = 2 * IN_FLIGHT + 1_000
LARGE, FITTING = 10_000_000, 10
"""A large body, and how many of them 40 % of 256 MiB hold."""
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"


def patient(made: Line) -> dict[str, Any]:
    """One provider that may think for a minute."""
    timeouts = {"firstTokenMs": 60_000, "streamIdleMs": 60_000, "totalMs": 120_000}
    rules = [{"name": "all", "when": {}, "route": route("a", timeouts=timeouts)}]
    return table([model("a", made.url("a"))], rules)


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Line]:
    """A line of one provider."""
    pace = {"pace": {"deltaTokens": 1000}}
    with line(tmp_path, "a", build=patient, config=pace) as made:
        yield made


def dial(made: Line) -> socket.socket:
    """A raw connection to the data port."""
    host, port = made.sidecar.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=50)


def request(**body: Any) -> bytes:
    """A whole call as bytes."""
    content = json.dumps(asked(**body)).encode()
    return f"{HEAD}content-length: {len(content)}\r\n\r\n".encode() + content


def read_all(peer: socket.socket) -> bytes:
    """Everything until the other side closes."""
    said = b""
    while piece := peer.recv(65536):
        said += piece
    return said


@pytest.mark.timeout(180)
def test_i6_calls_in_flight_are_bounded_and_the_next_is_shed_unread(single: Line) -> None:
    """With 4,096 calls in flight the next gets 503 before its body is sent; then there is room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= DESCRIPTORS, "raise the limit of open files (ulimit -Hn)"
    for process in (0, single.providers["a"].pid):  # the sidecar has raised its own
        resource.prlimit(process, resource.RLIMIT_NOFILE, (hard, hard))
    single.script("a", {"acceptAndStall": True}, model="a-2026")
    with ExitStack() as open_calls:
        for _ in range(IN_FLIGHT):
            peer = open_calls.enter_context(closing(dial(single)))
            peer.sendall(request())
        eventually(lambda: single.sidecar.state()["in_flight"] == IN_FLIGHT, within_s=60)
        with closing(dial(single)) as late:
            late.sendall(f"{HEAD}content-length: 1000000\r\n\r\n".encode())
            said = read_all(late)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in said
        assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "overloaded"
        assert single.sidecar.rss_mib() < 256
        assert single.sidecar.probe("/livez")
    eventually(lambda: single.sidecar.state()["in_flight"] == 0, within_s=30)
    single.script("a")
    assert single.chat().status_code == 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_i6_bodies_that_do_not_fit_together_are_refused_unread(single: Line) -> None:
    """Of twenty heads that announce 10 MB each ten get room; the others' 503 comes at once."""
    announced = f"{HEAD}content-length: {LARGE}\r\n\r\n".encode()
    with ExitStack() as held:
        peers = [held.enter_context(closing(dial(single))) for _ in range(2 * FITTING)]
        for peer in peers[:FITTING]:
            peer.sendall(announced)
        eventually(lambda: single.sidecar.state()["in_flight"] == FITTING)
        for peer in peers[FITTING:]:
            peer.sendall(announced)
            said = read_all(peer)
            assert said.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1\r\n" in said
        assert single.sidecar.state()["in_flight"] == FITTING
        content = json.dumps(asked()).encode()
        peers[0].sendall(content.ljust(LARGE))
        assert peers[0].recv(65536).startswith(b"HTTP/1.1 200 ")
    eventually(lambda: single.sidecar.state()["in_flight"] == 0)
    assert single.chat().status_code == 200


def test_a_refusal_arrives_although_the_body_is_on_its_way(single: Line) -> None:
    """A caller that sends all of its body first still reads why it was refused."""
    announced = f"{HEAD}content-length: {8 * LARGE}\r\n\r\n".encode()
    for _ in range(FITTING):
        with closing(dial(single)) as peer:
            peer.sendall(announced)
            for _ in range(4):
                peer.sendall(bytes(LARGE // 4))
            said = peer.recv(65536)
            assert said.startswith(b"HTTP/1.1 413 "), said
            assert b"larger than" in said, said
    assert single.chat().status_code == 200


def test_i6_a_slow_reader_holds_its_provider_back_and_not_our_memory(single: Line) -> None:
    """A stream of tens of megabytes that nobody reads waits at the provider."""
    single.script("a", {"text": "x" * 40_000_000})
    assert single.chat(max_tokens=5).status_code == 200
    before = single.sidecar.rss_mib()
    with closing(dial(single)) as reader:
        reader.sendall(request(stream=True))
        eventually(lambda: single.providers["a"].stats()["open"] == 1, within_s=30)
        settled = threading.Event()
        settled.wait(2)
        assert single.sidecar.rss_mib() - before < 12
        assert single.providers["a"].stats()["open"] == 1, "the provider is held back"
        assert single.chat(max_tokens=5).status_code == 200, "others are not"
        reader.settimeout(20)
        got = 0
        while got < 20_000_000 and (piece := reader.recv(1 << 20)):
            got += len(piece)
        assert got >= 20_000_000, "and goes on when it is read"
        assert single.sidecar.rss_mib() - before < 16
    eventually(single.idle)


def test_a_caller_that_stops_sending_its_request_is_let_go(single: Line) -> None:
    """A body that pauses for 30 s: 408 in the native shape; a head that takes 15 s: closed.

    A connection that lies idle in between is kept; the head of its next request has 15 s again.
    """

    def body() -> tuple[bytes, float]:
        with closing(dial(single)) as peer:
            peer.sendall(f'{HEAD}content-length: 500\r\n\r\n{{"model":'.encode())
            began = time.monotonic()
            return read_all(peer), time.monotonic() - began

    def head() -> tuple[bytes, float]:
        with closing(dial(single)) as peer:
            peer.sendall(HEAD.encode())
            began = time.monotonic()
            return read_all(peer), time.monotonic() - began

    def nothing() -> float:
        with closing(dial(single)) as peer:
            began = time.monotonic()
            assert read_all(peer) == b""
            return time.monotonic() - began

    def idle() -> float:
        with closing(dial(single)) as peer:
            for _ in range(2):
                peer.sendall(request())
                assert peer.recv(65536).startswith(b"HTTP/1.1 200 ")
                time.sleep(17)
            peer.sendall(HEAD.encode())
            began = time.monotonic()
            assert read_all(peer) == b""
            return time.monotonic() - began

    with ThreadPoolExecutor(4) as pool:
        slow_body, slow_head = pool.submit(body), pool.submit(head)
        mute, kept = pool.submit(nothing), pool.submit(idle)
        said, took = slow_body.result()
        assert said.startswith(b"HTTP/1.1 408 ")
        assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "request_too_slow"
        assert 28 < took < 40
        assert 13 < slow_head.result()[1] < 25
        assert 13 < mute.result() < 25
        assert 13 < kept.result() < 25
    assert single.sidecar.state()["in_flight"] == 0
    assert single.chat().status_code == 200


@pytest.mark.timeout(180)
def test_i6_memory_is_flat_over_many_calls(single: Line) -> None:
    """After a warm-up 3,000 calls of all kinds, good and bad, leave no memory behind."""
    single.script("a", {"text": "word " * 30})

    def calls(count: int) -> None:
        for number in range(count):
            match number % 4:
                case 0:
                    assert single.chat(text=f"Question {number}").status_code == 200
                case 1:
                    assert single.stream(text=f"Question {number}").done
                case 2:
                    assert single.http.post("/v1/chat/completions", content=b"{").status_code == 400
                case _:
                    assert single.chat(model="main/a", text="x" * 50_000).status_code == 200

    def parallel(each: int) -> None:
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(calls, each) for _ in range(4)]:
                done.result()

    parallel(400)
    before = single.sidecar.rss_mib()
    parallel(750)
    assert single.sidecar.rss_mib() - before < 8
    assert single.idle()
