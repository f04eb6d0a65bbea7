"""An app that leaves: its call upstream ends at once, and leaves exactly one record."""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, asked, line
from support.tables import model, route, table

LIMIT_NS = 100_000_000
TRIES = 5


def build(made: Line) -> dict[str, Any]:
    """One provider."""
    rules = [{"name": "all", "when": {"models": ["auto"]}, "route": route("a")}]
    return table([model("a", made.url("a"))], rules)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line of one provider."""
    with line(tmp_path_factory.mktemp("cancel"), "a", build=build) as made:
        yield made


def call(made: Line, **body: Any) -> socket.socket:
    """A call on a connection of its own."""
    host, port = made.sidecar.url.removeprefix("http://").split(":")
    peer = socket.create_connection((host, int(port)), timeout=20)
    content = json.dumps(asked(**body)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    peer.sendall(head.encode() + content)
    return peer


def cancelled(made: Line) -> float:
    """Calls counted as cancelled."""
    labels = 'model="main/a",provider="sim-a",outcome="cancelled"'
    return made.sidecar.metric(f"pointsman_requests_total{{{labels}}}")


def noticed(made: Line, calls: int) -> None:
    """Wait until the provider has seen so many callers leave."""
    eventually(lambda: made.providers["a"].stats()["cancelled"] == calls)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "plain": ({}, {"delayMs": 20_000}, 0),
    "stream before its first byte": ({"stream": True}, {"delayMs": 20_000}, 0),
    "stream before its first content": ({"stream": True}, {"firstTokenMs": 20_000}, 0),
    "stream in mid-answer": (
        {"stream": True},
        {"text": "word " * 4000, "tokensPerSecond": 20},
        1,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_caller_that_leaves_is_noticed_upstream_within_100_ms(single: Line, case: str) -> None:
    """The provider sees the end; one record says cancelled; nothing stays in flight."""
    body, action, wanted = CASES[case]
    single.script("a", action)
    took_ns, counted = [], cancelled(single)
    for _ in range(TRIES):
        before = single.providers["a"].stats()["cancelled"]
        with closing(call(single, **body)) as peer:
            eventually(lambda: single.providers["a"].stats()["open"] == 1)
            said = peer.recv(65536) if wanted else b""
        left_ns = time.time_ns()
        noticed(single, before + 1)
        took_ns.append(single.providers["a"].stats()["cancelled_at_ns"][-1] - left_ns)
    assert statistics.median(took_ns) < LIMIT_NS, took_ns
    eventually(lambda: cancelled(single) == counted + TRIES)
    assert single.idle()
    if wanted:
        head = said.decode().lower().split("\r\n")
        (own,) = [row.split(": ")[1] for row in head if row.startswith("x-pointsman-request-id")]
        record = single.sidecar.record(own)
        assert (record["outcome"], record["class"], record["status"]) == (
            "cancelled",
            "CallerGone",
            499,
        )
        assert record["attempts"][-1]["class"] == "CallerGone"
        assert record["usage"]["output"] >= single.providers["a"].bill()[f"{own}.1"]["output"]


def test_i11_calls_dropped_at_any_moment_leave_one_record_and_nothing_else(single: Line) -> None:
    """200 callers leave at seeded moments of the path: all slots, bytes and upstreams are free."""
    chance = random.Random(11)
    single.script("a", {"text": "word " * 60, "firstTokenMs": 15, "tokensPerSecond": 2000})
    counted = outcomes(single)
    billed = len(single.providers["a"].bill())
    peers = 0
    for _ in range(200):
        with closing(call(single, stream=chance.random() < 0.7)) as peer:
            peer.settimeout(chance.uniform(0.0005, 0.12))
            peers += 1
            try:
                while peer.recv(256):
                    pass
            except TimeoutError:
                continue
    eventually(single.idle)
    eventually(lambda: outcomes(single) == counted + peers)
    assert cancelled(single) > 20
    eventually(lambda: len(single.providers["a"].bill()) > billed)
    assert single.sidecar.metric("pointsman_panics_total") == 0
    assert single.chat().status_code == 200


def outcomes(made: Line) -> float:
    """Calls that have ended, however; a refused one has no model yet."""
    rows = ("ok", "cancelled", "failed", "cut", "refused")
    labels = 'model="main/a",provider="sim-a",outcome='
    ended = sum(made.sidecar.metric(f'pointsman_requests_total{{{labels}"{row}"}}') for row in rows)
    return ended + made.sidecar.metric('pointsman_refusals_total{reason="caller_gone"}')
