"""SIGTERM: what can finish finishes, what is new goes elsewhere, the process ends with status 0."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.line import asked, line
from support.unread import ask_and_read_nothing, call_id_of, rest_of

STREAMS = 50
FEW = 5
LONG = {"text": "word " * 100_000, "chunkBytes": 60_000}


def test_fifty_live_streams_outlive_sigterm(tmp_path: Path) -> None:
    """None breaks; new connections are refused meanwhile; the status is 0."""
    with line(tmp_path, "a") as made:
        made.script("a", {"text": "word " * 60, "tokensPerSecond": 30})
        with ThreadPoolExecutor(STREAMS) as pool:
            streams = [pool.submit(made.stream) for _ in range(STREAMS)]
            eventually(lambda: made.providers["a"].stats()["open"] == STREAMS)
            made.sidecar.child.send_signal(signal.SIGTERM)
            eventually(lambda: refused(made.sidecar.url))
            assert made.sidecar.child.poll() is None, "it waits for its streams"
            seen = [one.result() for one in streams]
        assert all(one.done and one.text == "word " * 60 for one in seen)
        assert made.sidecar.child.wait(5) == 0


def refused(url: str) -> bool:
    """Whether a new connection is not taken."""
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_stream_longer_than_the_drain_is_told_and_cut(tmp_path: Path) -> None:
    """After `drainSeconds` the caller gets the native error event, then a broken connection."""
    with line(tmp_path, "a", POINTSMAN_DRAIN_SECONDS="1") as made:
        made.script("a", {"text": "word " * 4000, "tokensPerSecond": 20})
        with ThreadPoolExecutor(FEW) as pool:
            streams = [pool.submit(made.stream) for _ in range(FEW)]
            eventually(lambda: made.providers["a"].stats()["open"] == FEW)
            began = time.monotonic()
            assert made.sidecar.terminate() == 0
            assert 0.9 < time.monotonic() - began < 6
            for seen in [one.result() for one in streams]:
                assert seen.broken
                assert seen.text
                assert "[DONE]" not in seen.events
                check_last_words(seen.error)
        eventually(lambda: made.providers["a"].stats()["open"] == 0)


def check_last_words(error: dict[str, Any] | None) -> None:
    """Native, and about us: the provider did nothing wrong."""
    assert error is not None
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("server_error", "shutting_down")
    assert "not complete" in error["message"]
    assert "drainSeconds" in error["message"]
    assert "provider" not in error["message"]


def test_a_plain_call_longer_than_the_drain_is_answered(tmp_path: Path) -> None:
    """503 and when to come again; its connection is not just dropped."""
    with line(tmp_path, "a", POINTSMAN_DRAIN_SECONDS="1") as made:
        made.script("a", {"delayMs": 20_000})
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(made.chat)
            eventually(lambda: made.providers["a"].stats()["open"] == 1)
            assert made.sidecar.terminate() == 0
            answer = asking.result()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["x-pointsman-request-id"].startswith("pm-")
        check_last_words(answer.json()["error"])
        eventually(lambda: made.providers["a"].stats()["open"] == 0)


def test_a_caller_that_reads_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Whoever cannot be told is cut all the same, in time."""
    with line(tmp_path, "a", POINTSMAN_DRAIN_SECONDS="1") as made:
        made.script("a", LONG)
        with closing(ask_and_read_nothing(made.sidecar.url, asked(stream=True))) as peer:
            assert call_id_of(peer)
            began = time.monotonic()
            assert made.sidecar.terminate() == 0
            assert time.monotonic() - began < 6
            assert b"[DONE]" not in rest_of(peer)


def test_an_answer_that_is_still_being_read_outlives_sigterm(tmp_path: Path) -> None:
    """A call has ended for us when its bytes are handed over; for its caller when they are read."""
    with line(tmp_path, "a") as made:
        text = "x" * 7_000_000
        made.script("a", {"text": text})
        with httpx.Client(timeout=20) as client:
            url = f"{made.sidecar.url}/v1/chat/completions"
            with client.stream("POST", url, json=asked()) as answer:
                pieces = answer.iter_raw(65536)
                got = [next(pieces)]
                eventually(lambda: made.sidecar.state()["in_flight"] == 0)
                made.sidecar.child.send_signal(signal.SIGTERM)
                eventually(lambda: refused(made.sidecar.url))
                got += list(pieces)
        assert text in b"".join(got).decode()
        assert made.sidecar.child.wait(5) == 0


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_sidecar_ends_at_once_although_connections_are_open(
    tmp_path: Path, signal_number: signal.Signals
) -> None:
    """Idle keep-alive connections do not hold up the drain."""
    with line(tmp_path, "a") as made:
        host, port = made.sidecar.url.removeprefix("http://").split(":")
        with closing(socket.create_connection((host, int(port)))):
            assert made.chat().status_code == 200
            began = time.monotonic()
            made.sidecar.child.send_signal(signal_number)
            assert made.sidecar.child.wait(5) == 0
            assert time.monotonic() - began < 3
