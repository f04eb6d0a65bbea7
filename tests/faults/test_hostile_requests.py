"""What an attacker sends, byte by byte, and what becomes of it: refused, or harmless upstream."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.every_format import READER, of_format, write_keys
from support.line import Captured, Line, asked, line
from support.tables import model, route, table

PATH = "/v1/chat/completions"
NAMES = {"a": "OpenAI", "claude": "Anthropic", "flash": "Gemini", "nova": "Bedrock"}
STEAL = b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
"""What is smuggled: a second request that nobody in front has seen."""
HEADER_S, BODY_S = 15, 30
EVIL = "a\r\nx-evil: 1\r\n\r\nGET /stolen HTTP/1.1\r\n\r\n"
SECRET_URL = "http://169.254.169.254/latest/meta-data/"


def build(made: Line) -> dict[str, Any]:
    """Every format of a provider behind one port, for any model name."""
    write_keys(made.folder)
    models = [of_format(name, made.url("a"), kind) for name, kind in NAMES.items()]
    barred = model("barred", made.url("a"), provider={"baseURL": SECRET_URL.rstrip("/")})
    hidden = model("hidden", made.url("a"), provider={"baseURL": "http://2852039166/v1"})
    rules = [{"name": name, "when": {"models": [name]}, "route": route(name)} for name in NAMES]
    rules += [
        {"name": name, "when": {"models": [name]}, "route": route(name)}
        for name in ("barred", "hidden")
    ]
    return table([*models, barred, hidden], rules, minReader=READER)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One sidecar for all attacks: it must outlive each."""
    with line(tmp_path_factory.mktemp("hostile"), "a", build=build) as made:
        yield made


@pytest.fixture
def here(shared: Line) -> Iterator[Line]:
    """Healthy before, and still so after each."""
    shared.script("a")
    yield shared
    shared.script("a")
    assert shared.chat(model="a").status_code == 200
    eventually(shared.idle)


def dial(made: Line) -> socket.socket:
    """A raw connection to the data port."""
    host, port = made.sidecar.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def said_to(made: Line, sent: bytes) -> bytes:
    """All that comes back until the other side closes or says nothing for a second."""
    said = b""
    with closing(dial(made)) as peer:
        peer.sendall(sent)
        peer.settimeout(1)
        try:
            while piece := peer.recv(65536):
                said += piece
        except (TimeoutError, ConnectionResetError):
            pass
    return said


def statuses(said: bytes) -> list[int]:
    """The status of every answer in it."""
    return [int(it) for it in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def upstream(made: Line, since: int) -> list[Captured]:
    """What the provider got since then."""
    return made.captured("a")[since:]


def asking(name: str = "a", **more: Any) -> bytes:
    """A body."""
    return json.dumps(asked(model=name, **more)).encode()


def chunked(body: bytes, size_line: bytes | None = None) -> bytes:
    """A body in one chunk; `size_line` in place of the right one."""
    return (size_line or b"%x" % len(body)) + b"\r\n" + body + b"\r\n0\r\n\r\n"


def head(*lines: str) -> bytes:
    """A request head."""
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "host: x", *lines, "", ""]).encode()


BODY = asking()
LENGTH = f"content-length: {len(BODY)}"
CHUNKED = "transfer-encoding: chunked"
REFUSED: dict[str, bytes] = {
    "two lengths": head(LENGTH, "content-length: 0") + BODY + STEAL,
    "two lengths in a list": head(f"content-length: {len(BODY)}, 0") + BODY + STEAL,
    "a signed length": head(f"content-length: +{len(BODY)}") + BODY + STEAL,
    "a length that is none": head("content-length: 1e3") + BODY + STEAL,
    "a folded header": head("x-a: 1", " " + CHUNKED, LENGTH) + BODY + STEAL,
    "a space before the colon": head("transfer-encoding : chunked", LENGTH) + BODY + STEAL,
    "chunked, but not last": head("transfer-encoding: chunked, identity") + chunked(BODY) + STEAL,
    "chunked in disguise": head("transfer-encoding: xchunked") + chunked(BODY) + STEAL,
    "a NUL in a header": head("x-a: b\0c", LENGTH) + BODY + STEAL,
    "a bare CR in a header": head("x-a: b\rtransfer-encoding: chunked", LENGTH) + BODY + STEAL,
    "chunks in HTTP/1.0": head(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0") + chunked(BODY) + STEAL,
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_of_two_readings_is_refused_and_its_connection_ends(
    here: Line, case: str
) -> None:
    """One 400 in the native shape; what is behind it is no request, nothing goes upstream."""
    since = len(here.captured("a"))
    said = said_to(here, REFUSED[case])
    assert statuses(said) == [400], said
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["type"] == "invalid_request_error"
    assert upstream(here, since) == []


@pytest.mark.parametrize("order", [(LENGTH, CHUNKED), (CHUNKED, LENGTH)], ids=["CL.TE", "TE.CL"])
def test_chunks_win_over_a_length_and_the_connection_ends(
    here: Line, order: tuple[str, str]
) -> None:
    """As RFC 9112 6.1 wants it: one call goes upstream, with one length and its own body."""
    since = len(here.captured("a"))
    said = said_to(here, head(*order) + chunked(BODY) + STEAL)
    assert statuses(said) == [200], said
    (arrived,) = upstream(here, since)
    names = [name.lower() for name, _ in arrived.head["headers"]]
    assert names.count("content-length") == 1
    assert "transfer-encoding" not in names
    assert arrived.body == BODY.replace(b'"a"', b'"a-2026"')


CHUNKS: dict[str, tuple[bytes, bool]] = {
    "an extension": (b"%x;name=value" % len(BODY), True),
    "a newline in an extension": (b"%x;a\nb" % len(BODY), False),
    "a size of two readings": (b"0x%x" % len(BODY), False),
    "a size that overflows": (b"f" * 17, False),
    "an endless extension": (b"%x;" % len(BODY) + b"a" * 70_000, False),
    "no size": (b";", False),
}


@pytest.mark.parametrize("case", CHUNKS)
def test_chunk_sizes_and_their_extensions(here: Line, case: str) -> None:
    """An extension is thrown away; what could be read in two ways ends the connection unread."""
    size, fine = CHUNKS[case]
    since = len(here.captured("a"))
    said = said_to(here, head(CHUNKED) + chunked(BODY, size))
    assert (statuses(said) == [200]) == fine, said
    assert len(upstream(here, since)) == (1 if fine else 0)


def test_the_body_of_a_request_that_needs_none_is_no_request(here: Line) -> None:
    """A GET that hides another call in its body gets one answer, and so does an unknown path."""
    since = len(here.captured("a"))
    for line_ in ("GET /v1/models", "POST /v1/unknown"):
        hidden = head(LENGTH) + BODY
        sent = f"{line_} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(hidden)}\r\n\r\n".encode()
        assert len(statuses(said_to(here, sent + hidden))) == 1
    assert upstream(here, since) == []


def test_bare_line_feeds_end_lines_and_go_no_further(here: Line) -> None:
    """As RFC 9112 2.2 allows; the request that goes upstream is built anew."""
    since = len(here.captured("a"))
    assert statuses(said_to(here, head(LENGTH).replace(b"\r\n", b"\n") + BODY)) == [200]
    (arrived,) = upstream(here, since)
    assert arrived.body == BODY.replace(b'"a"', b'"a-2026"')
    assert not [value for _, value in arrived.head["headers"] if "\n" in value]


def test_two_requests_at_once_are_two_calls(here: Line) -> None:
    """Pipelining is no smuggling: each is answered in turn."""
    since = len(here.captured("a"))
    assert statuses(said_to(here, 2 * (head(LENGTH) + BODY))) == [200, 200]
    assert len(upstream(here, since)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_nothing_a_caller_writes_becomes_a_header_upstream(here: Line, name: str) -> None:
    """Line ends in every text of a body, in every format: the provider gets one request, ours."""
    since = len(here.captured("a"))
    body = asked(
        EVIL,
        model=name,
        user=EVIL,
        metadata={"a": EVIL},
        stop=[EVIL],
        tools=[{"type": "function", "function": {"name": "f", "description": EVIL}}],
    )
    own = {"x-pointsman-team": "blue", "x-pointsman-key": "k", "openai-organization": "acme"}
    assert here.http.post(PATH, json=body, headers=own).status_code == 200
    (arrived,) = upstream(here, since)
    names = [key.lower() for key, _ in arrived.head["headers"]]
    assert "x-evil" not in names
    assert len(names) == len(set(names)), names
    assert "stolen" not in str(arrived.head)


@pytest.mark.parametrize(
    "name", [EVIL, "../../stolen", "a%0d%0ax-evil:1", "a?x=/stolen", "a#b", "é\u2028"]
)
def test_a_model_name_stays_one_segment_of_a_path(tmp_path: Path, name: str) -> None:
    """Where a caller's own name goes into the request line, it is escaped whole."""

    def through(made: Line) -> dict[str, Any]:
        write_keys(made.folder)
        return table(
            [of_format("a", made.url("a"), "Gemini")],
            [],
            default={"action": "PassThrough"},
            minReader=READER,
        )

    with line(tmp_path, "a", build=through) as made:
        made.chat(model=name)
        arrived = made.captured("a")
        assert len(arrived) <= 1
        for one in arrived:
            target = str(one.head["path"])
            assert target.startswith("/v1beta/models/"), target
            assert target.count("/") == 3, target
            assert "x-evil" not in {key.lower() for key, _ in one.head["headers"]}
        assert made.chat(model="a-2026").status_code == 200, "it serves no more"


@pytest.mark.parametrize(
    "path",
    [
        f"/v1beta/models/{quoted}:generateContent"
        for quoted in (
            "a%0d%0ax-evil:%201",
            "..%2f..%2fv1%2fmodels",
            "%00",
            "%ff%fe",
        )
    ],
)
def test_a_name_in_the_callers_path_is_only_a_name(here: Line, path: str) -> None:
    """Escapes in it are undone for the lookup alone; the 404 repeats it in JSON only."""
    since = len(here.captured("a"))
    said = said_to(
        here,
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 37\r\n\r\n".encode()
        + b'{"contents":[{"parts":[{"text":"x"}]}]}'[:37],
    )
    assert statuses(said)[0] in (400, 404), said
    assert b"x-evil" not in said.split(b"\r\n\r\n", 1)[0]
    assert upstream(here, since) == []


def test_a_compressed_body_is_refused_unread(here: Line) -> None:
    """A megabyte that unpacks to a gigabyte is 415 at its head."""
    said = said_to(here, head("content-encoding: gzip", "content-length: 1000000"))
    assert statuses(said) == [415], said


@pytest.mark.parametrize("name", ["barred", "hidden"])
def test_a_pool_cannot_point_at_a_clouds_metadata(here: Line, name: str) -> None:
    """However its address is written, nothing is sent there, and the answer says only that."""
    began = time.monotonic()
    answer = here.chat(model=name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert time.monotonic() - began < 5, "not even tried"


def test_a_pictures_address_is_never_fetched_by_us(here: Line) -> None:
    """Whatever the format wants of a picture, the router goes nowhere for it."""
    reached = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as trap:

        def wait() -> None:
            trap.settimeout(20)
            try:
                trap.accept()
                reached.set()
            except OSError:
                return

        watching = threading.Thread(target=wait, daemon=True)
        watching.start()
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/picture.png"
        for name in NAMES:
            content = [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": address}},
            ]
            body = asked(model=name, messages=[{"role": "user", "content": content}])
            assert here.http.post(PATH, json=body).status_code in (200, 400)
        assert not reached.is_set()


DEEP = 100_000
NESTED: dict[str, tuple[str, bytes]] = {
    "chat": (PATH, b'{"model":"a","messages":[{"role":"user","content":%s}]}'),
    "tools": (PATH, b'{"model":"claude","messages":[],"tools":[%s]}'),
    "responses": ("/v1/responses", b'{"model":"claude","input":[%s]}'),
    "messages": ("/v1/messages", b'{"model":"flash","max_tokens":9,"messages":[%s]}'),
    "generate": ("/v1beta/models/claude:generateContent", b'{"contents":[%s]}'),
}


@pytest.mark.parametrize("case", NESTED)
@pytest.mark.parametrize("bracket", [b"[]", b'{"a":0}'], ids=["lists", "objects"])
def test_deep_json_is_a_400_on_every_surface(here: Line, case: str, bracket: bytes) -> None:
    """A hundred thousand levels: refused by counting them, before anything recurses."""
    path, around = NESTED[case]
    opening, closing_ = (b"[", b"]") if bracket == b"[]" else (b'{"a":', b"}")
    deep = opening * DEEP + b"0" + closing_ * DEEP
    answer = here.http.post(path, content=around % deep)
    assert answer.status_code == 400, answer.text
    assert "error" in answer.json()


TWICE = [
    (PATH, b'{"model":"a","messages":[{"role":"user","content":"x"}],"model":"claude"}'),
    (PATH, b'{"model":"a","messages":[{"role":"user","content":"x"}],"mod\\u0065l":"claude"}'),
    (PATH, b'{"model":"a","max_tokens":1,"messages":[],"max_tokens":99999}'),
    ("/v1/messages", b'{"model":"a","max_tokens":1,"messages":[],"max_tokens":99999}'),
    ("/v1/responses", b'{"model":"a","input":"x","stream":true,"stream":false}'),
]


@pytest.mark.parametrize(("path", "body"), TWICE)
def test_a_key_that_decides_stands_once(here: Line, path: str, body: bytes) -> None:
    """Two readers of one body could disagree about model, price or stream: 400."""
    answer = here.http.post(path, content=body)
    assert answer.status_code == 400, answer.text


def test_what_is_refused_is_one_line_in_our_log(here: Line) -> None:
    """A name with line ends and JSON in it adds no line of its own."""
    before = here.sidecar.log.read_text().count("\n")
    name = 'x\n{"level":"CRITICAL","message":"owned"}\r\n'
    answer = here.chat(model=name)
    assert answer.status_code == 404
    assert "\n" not in answer.text.strip()
    added = here.sidecar.log.read_text().splitlines()[before:]
    assert not [row for row in added if "owned" in row and '"CRITICAL","message":"owned"' in row]
    assert here.sidecar.metric('pointsman_refusals_total{reason="model_not_found"}') >= 1


def test_slow_callers_lose_their_place(here: Line) -> None:
    """A header a second, and a byte of a body a second, however long: both end, with their room."""
    cases: dict[str, tuple[bytes, bytes, int]] = {
        "head": (f"POST {PATH} HTTP/1.1\r\nhost: x\r\n".encode(), b"x-a: b\r\n", HEADER_S),
        "body": (head("content-length: 50000000"), b" ", BODY_S),
    }

    def drip(case: str) -> tuple[float, bytes]:
        first, each, _ = cases[case]
        began, said = time.monotonic(), b""
        with closing(dial(here)) as peer:
            peer.sendall(first)
            peer.settimeout(1)
            while time.monotonic() - began < 3 * BODY_S:
                try:
                    piece = peer.recv(65536)
                except TimeoutError:
                    try:
                        peer.sendall(each)
                    except OSError:
                        break
                    continue
                except ConnectionResetError:
                    break
                said += piece
                if not piece:
                    break
        return time.monotonic() - began, said

    with ThreadPoolExecutor(len(cases)) as pool:
        running = {case: pool.submit(drip, case) for case in cases}
        eventually(lambda: here.sidecar.state()["in_flight"] == 1)
        assert here.chat(model="a").status_code == 200, "others are served meanwhile"
        for case, (_, _, limit_s) in cases.items():
            took, said = running[case].result()
            assert limit_s - 1 < took < limit_s + 10, (case, took)
            assert statuses(said) in ([], [408]), said
        assert statuses(running["body"].result()[1]) == [408]
