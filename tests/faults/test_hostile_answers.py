"""A provider that means harm, or is broken in a way that could do some: its bytes stay data."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.every_format import READER, of_format, write_keys
from support.line import Line, line
from support.surfaces import SURFACES, Surface, events_of
from support.tables import route, table

MOST_MIB = 40
"""By how much a bomb may make us grow: it would be 128 MiB."""
BOMB_BYTES = 128 << 20
FORGED = 'x\n\ndata: [DONE]\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
"""What a provider's error says to look like an end."""
MANY = 5_000
"""Chunks: more than is read at once, so that the answer has begun when the error comes."""
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "a",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "half"}}],
}


def build(made: Line) -> dict[str, Any]:
    """One provider, no second try."""
    write_keys(made.folder)
    once = {"maxAttempts": 1, "budgetPercent": 0, "minPerSecond": 0}
    rules = [{"name": "all", "when": {}, "route": route("a", retries=once)}]
    return table([of_format("a", made.url("a"), "OpenAI")], rules, minReader=READER)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One sidecar for all of them: it must outlive each."""
    with line(tmp_path_factory.mktemp("answers"), "a", build=build) as made:
        yield made


@pytest.fixture
def here(shared: Line) -> Iterator[Line]:
    """Still serving after each."""
    yield shared
    shared.script("a")
    assert shared.chat().status_code == 200
    eventually(shared.idle)


def says(made: Line, body: bytes, *headers: str) -> None:
    """The provider's next answers, byte for byte."""
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", "connection: close", *headers]
    raw = "\r\n".join([*lines, "", ""]).encode() + body
    made.script("a", {"raw": base64.b64encode(raw).decode()})


def streamed(made: Line, surface: Surface) -> tuple[httpx.Response, bytes, bool]:
    """A stream on a surface, read to its end; whether it was broken off."""
    raw, broken = b"", False
    body = surface.body("a", True)
    with made.http.stream("POST", surface.path("a", True), json=body) as answer:
        try:
            for piece in answer.iter_raw():
                raw += piece
        except httpx.RemoteProtocolError:
            broken = True
    return answer, raw, broken


@cache
def bomb(coding: str) -> bytes:
    """128 MiB of blanks, a thousandth of it on the wire."""
    packed = zlib.compressobj(6, wbits=31 if coding == "gzip" else 15)
    block = bytes(b" " * (1 << 20))
    pieces = [packed.compress(block) for _ in range(BOMB_BYTES >> 20)]
    return b"".join([*pieces, packed.flush()])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_decompression_bomb_is_a_failed_attempt(here: Line, coding: str, kind: str) -> None:
    """Nothing of it goes down, and our memory stays what it was."""
    says(here, bomb(coding), f"content-encoding: {coding}", f"content-type: {kind}")
    before = here.sidecar.rss_mib()
    answer = here.chat(stream=kind != "application/json")
    assert answer.status_code == 502, answer.text[:500]
    assert here.sidecar.rss_mib() - before < MOST_MIB


def test_a_bomb_within_a_bomb_is_not_opened(here: Line) -> None:
    """Two codings at once are none that we know."""
    twice = gzip.compress(gzip.compress(b"{}"))
    says(here, twice, "content-encoding: gzip, gzip", "content-type: application/json")
    assert here.chat().status_code == 502


@pytest.mark.parametrize("surface", SURFACES, ids=lambda it: it.name)
def test_an_event_without_an_end_is_cut_at_its_bound(here: Line, surface: Surface) -> None:
    """Thirty megabytes of one line: the stream ends long before, with an error."""
    begun = f"data: {json.dumps(CHUNK)}\n\n".encode()
    says(here, begun + b"data: " + b"x" * 30_000_000, "content-type: text/event-stream")
    before = here.sidecar.rss_mib()
    answer, raw, broken = streamed(here, surface)
    assert answer.status_code != 200 or broken
    assert not surface.mark(events_of(raw))
    assert here.sidecar.rss_mib() - before < MOST_MIB


@pytest.mark.parametrize("surface", SURFACES, ids=lambda it: it.name)
def test_words_in_a_providers_error_end_no_stream(here: Line, surface: Surface) -> None:
    """Line ends and events in its message stay within our own event's JSON."""
    error = {"error": {"message": FORGED, "type": "server_error", "code": FORGED}}
    flowing = MANY * f"data: {json.dumps(CHUNK)}\n\n"
    body = f"{flowing}data: {json.dumps(error)}\n\n"
    says(here, body.encode(), "content-type: text/event-stream")
    _, raw, broken = streamed(here, surface)
    events = events_of(raw)
    assert broken
    assert surface.told(events), raw
    assert not surface.mark(events), raw
    assert b"\ndata: [DONE]" not in raw
    assert b"\nevent: message_stop" not in raw


@pytest.mark.parametrize("surface", SURFACES, ids=lambda it: it.name)
def test_words_in_a_refusal_stay_in_its_json(here: Line, surface: Surface) -> None:
    """A 400's text goes down as a text, and into our record as none of its fields."""
    error = {"error": {"message": FORGED, "type": FORGED, "code": FORGED, "param": None}}
    here.script("a", {"status": 400, "body": error})
    answer = here.http.post(surface.path("a", False), json=surface.body("a", False))
    assert answer.status_code == 400
    assert surface.error(answer.json())
    record = here.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert record["class"] == "BadRequest"
    assert "\n" not in json.dumps(record)
    assert not [row for row in here.sidecar.log.read_text().splitlines() if "[DONE]" in row]


def test_a_providers_headers_are_not_ours(here: Line) -> None:
    """Cookies, our own names and its framing stay behind; its request id comes through."""
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "a",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hi"},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    )
    says(
        here,
        body.encode(),
        "content-type: application/json",
        "set-cookie: a=b",
        "x-pointsman-model: main/evil",
        "x-pointsman-cost: 0",
        "x-should-retry: true",
        "x-request-id: req-1",
        "strict-transport-security: max-age=1",
    )
    answer = here.chat()
    assert answer.status_code == 200
    assert answer.headers["x-pointsman-model"] == "main/a"
    assert float(answer.headers["x-pointsman-cost"]) > 0
    assert answer.headers["x-request-id"] == "req-1"
    assert not {"set-cookie", "x-should-retry", "strict-transport-security"} & set(answer.headers)


TWO_READINGS = {
    "two lengths": "content-length: 2\r\ncontent-length: 300",
    "chunked and a length": "transfer-encoding: chunked\r\ncontent-length: 2",
    "chunked in disguise": "transfer-encoding: xchunked",
    "a folded header": "content-type: application/json\r\n charset=x",
}


@pytest.mark.parametrize("case", TWO_READINGS)
def test_an_answer_of_two_readings_taints_no_connection(here: Line, case: str) -> None:
    """Whatever it is taken for, the next call gets its own answer."""
    stolen = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nSTOLEN"
    raw = f"HTTP/1.1 200 OK\r\n{TWO_READINGS[case]}\r\n\r\n{{}}{stolen}"
    here.script("a", {"raw": base64.b64encode(raw.encode()).decode()})
    first = here.chat()
    assert first.status_code == 502, first.text
    here.script("a")
    second = here.chat()
    assert "STOLEN" not in second.text
    assert second.status_code == 200
