"""`timeouts.total` ends a call whatever its provider and its caller do, and says so."""

from __future__ import annotations

import http.client
import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, asked, line
from support.tables import model, route, table
from support.unread import ask_and_read_nothing, call_id_of, rest_of

TOTAL_MS = 4000
MOST_MIB = 150
TIMEOUTS = {"firstTokenMs": 10_000, "streamIdleMs": 10_000, "totalMs": TOTAL_MS}
UNREAD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "stream": ({"stream": True}, {"text": "word " * 1_500_000}),
    "large": ({}, {"text": "x" * 16_000_000}),
    "whole": ({}, {"text": "x" * 7_000_000}),
}


def build(made: Line) -> dict[str, Any]:
    """Two candidates, patient in everything but the whole."""
    rules = [{"name": "all", "when": {}, "route": route("a", "b", timeouts=TIMEOUTS)}]
    return table([model(name, made.url(name)) for name in made.providers], rules)


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Line]:
    """A line of its own for each test: what is slow too often is taken out."""
    pace = {"firstTokenMs": 0, "tokensPerSecond": 100_000_000, "deltaTokens": 1000}
    with line(tmp_path, "a", "b", build=build, config={"pace": pace}) as made:
        yield made


SILENT: dict[str, tuple[bool, dict[str, Any]]] = {
    "plain, silent": (False, {"acceptAndStall": True}),
    "plain, late": (False, {"delayMs": 20_000}),
    "stream, late": (True, {"delayMs": 20_000}),
    "stream, thinking": (True, {"firstTokenMs": 20_000}),
}


@pytest.mark.parametrize("case", SILENT)
def test_the_total_ends_a_call_that_no_attempt_would(single: Line, case: str) -> None:
    """A silent provider costs the caller `totalMs`, not its patience for a first token: 504."""
    stream, action = SILENT[case]
    single.script("a", action)
    answer = single.chat(stream=stream)
    assert answer.status_code == 504, answer.text
    assert TOTAL_MS / 1000 <= answer.elapsed.total_seconds() < TOTAL_MS / 1000 + 3
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("server_error", "deadline_exceeded")
    assert f"{TOTAL_MS} ms" in error["message"]
    assert "timeouts.total" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    record = single.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert (record["outcome"], record["class"], record["status"]) == (
        "failed",
        "SlowFirstToken",
        504,
    )
    assert [row["class"] for row in record["attempts"]] == ["SlowFirstToken"], "no time for another"
    eventually(single.idle)


def test_the_total_reached_in_mid_stream_is_told(single: Line) -> None:
    """A stream that flows too long is cut with the native event; its provider is not blamed."""
    single.script("a", {"text": "word " * 200_000, "tokensPerSecond": 3000})
    seen = single.stream()
    assert seen.broken
    assert seen.text
    assert "[DONE]" not in seen.events
    assert seen.error is not None
    assert set(seen.error) == {"message", "type", "param", "code"}
    assert (seen.error["type"], seen.error["code"]) == ("server_error", "deadline_exceeded")
    assert f"{TOTAL_MS} ms" in seen.error["message"]
    assert "not complete" in seen.error["message"]
    record = single.sidecar.record(seen.request_id)
    check_cut(single, record)
    billed = single.providers["a"].bill()[f"{record['id']}.1"]
    assert record["usage"]["output"] >= billed["output"] > 0


def check_cut(single: Line, record: dict[str, Any]) -> None:
    """Recorded as cut by the timeout and booked; the target stays in."""
    assert (record["outcome"], record["class"], record["status"]) == ("cut", "MidStream", 200)
    assert "timeouts.total" in record["reason"], record["reason"]
    assert TOTAL_MS * 1000 <= record["stage_us"]["total"] < (TOTAL_MS + 3000) * 1000
    assert record["usage"]["output"] > 0
    assert record["cost"] > 0
    assert single.sidecar.state()["targets"]["main/a"] == "Closed"
    eventually(single.idle)


@pytest.mark.parametrize("case", ["stream", "large"])
def test_a_caller_that_reads_nothing_is_cut_at_the_total(single: Line, case: str) -> None:
    """With its window full nobody asks for the next byte: the call ends, here and there."""
    body, action = UNREAD[case]
    single.script("a", action)
    with closing(ask_and_read_nothing(single.sidecar.url, asked(**body))) as peer:
        own = call_id_of(peer)
        eventually(single.idle)
        ended_there = single.providers["a"].stats()["cancelled"]
        said = rest_of(peer)
    # A plain answer has ended for the simulator when its socket has taken it.
    assert ended_there == (1 if body else 0)
    assert b"[DONE]" not in said
    assert b"\r\n0\r\n\r\n" not in said
    check_cut(single, single.sidecar.record(own))
    assert single.sidecar.rss_mib() < MOST_MIB


def test_an_answer_that_nobody_reads_lets_go_of_its_connection(single: Line) -> None:
    """A whole answer has ended for us when it is handed over; its connection ends at the total."""
    body, action = UNREAD["whole"]
    single.script("a", action)
    with closing(ask_and_read_nothing(single.sidecar.url, asked(**body))) as peer:
        began = time.monotonic()
        eventually(lambda: gone(peer))
        assert time.monotonic() - began < TOTAL_MS / 1000 + 3
        assert len(rest_of(peer)) < 7_000_000


def gone(peer: socket.socket) -> bool:
    """Whether its other end has been reset or closed, found out without reading."""
    looking = select.poll()
    looking.register(peer, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in looking.poll(0))


def test_a_connection_that_waits_for_its_next_call_is_not_cut(single: Line) -> None:
    """The bound is on what nobody reads: an idle connection outlives many totals."""
    host = single.sidecar.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        began = time.monotonic()
        posted(connection)
        first = connection.sock
        eventually(lambda: time.monotonic() - began > 2 * TOTAL_MS / 1000)
        posted(connection)
        assert connection.sock is first


def posted(connection: http.client.HTTPConnection) -> None:
    """A call that succeeds on a kept connection."""
    connection.request("POST", "/v1/chat/completions", json.dumps(asked()))
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read()
