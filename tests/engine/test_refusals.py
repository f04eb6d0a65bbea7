"""Requests that cannot be served get OpenAI's error shape, and the process lives on."""

from __future__ import annotations

import json
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, line
from support.tables import budget, model, table

MIB = 1024 * 1024
HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    "content-type: application/json\r\n"
)


def dial(here: Line) -> socket.socket:
    """A raw connection to the data port."""
    host, port = here.sidecar.url.removeprefix("http://").split(":")
    made = socket.create_connection((host, int(port)), timeout=20)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def read_all(peer: socket.socket) -> bytes:
    """Everything until the other side closes or resets."""
    said = b""
    try:
        while piece := peer.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    return said


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"not json", "invalid_json"),
        (b"[1]", "invalid_json"),
        (b'{"model":"auto","messages":[', "invalid_json"),
        (b'{"model":"auto","messages":[]}}', "invalid_json"),
        (b'{"model":"auto\xff","messages":[]}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"messages":[{"role":"user","content":"x"}]}', "missing_model"),
        (b'{"model":"","messages":[{"role":"user","content":"x"}]}', "missing_model"),
        (b'{"model":"auto"}', "invalid_value"),
        (b'{"model":7,"messages":[]}', "invalid_value"),
        (b'{"model":"auto","messages":[],"stream":"yes"}', "invalid_value"),
        (b'{"model":"auto","messages":[],"max_tokens":-1}', "invalid_value"),
    ],
)
def test_a_malformed_body_is_a_400(here: Line, body: bytes, code: str) -> None:
    """Each says what is wrong; none reaches a provider."""
    before = here.providers["a"].stats()["requests"]
    answer = here.http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == (code, "invalid_request_error")
    assert error["message"]
    assert here.providers["a"].stats()["requests"] == before


def test_a_body_that_announces_too_much_is_a_413_before_it_is_sent(here: Line) -> None:
    """65 MiB: refused at its head, not a byte of it read."""
    with closing(dial(here)) as peer:
        peer.sendall(f"{HEAD}content-length: {65 * MIB}\r\n\r\n".encode())
        said = read_all(peer)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "body_too_large"


def test_a_body_that_grows_too_large_is_a_413_for_a_real_client(here: Line) -> None:
    """Chunked, without an announced length: the client still reads the refusal."""
    piece = b" " * MIB
    with closing(dial(here)) as peer:
        peer.sendall(f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(66):
                peer.sendall(f"{MIB:x}\r\n".encode() + piece + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        said = read_all(peer)
    assert said.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-large": "y" * 40_000},
        {f"x-{number}": "1" for number in range(100)},
        {"x": "y" * 600_000},
    ],
    ids=["long", "many", "enormous"],
)
def test_headers_too_large_are_a_431_in_the_native_shape(
    here: Line, headers: dict[str, str]
) -> None:
    """Long ones, many ones, and more than the HTTP library itself would read."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with closing(dial(here)) as peer:
        with suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(f"{HEAD}{lines}content-length: 2\r\n\r\n{{}}".encode())
        said = read_all(peer)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "headers_too_large"


def test_a_mesh_may_add_many_headers(here: Line) -> None:
    """Ninety of them, beside the client's own, are within the bound."""
    assert here.chat(headers={f"x-{number}": "1" for number in range(90)}).status_code == 200


def test_what_is_no_http_is_a_400_in_the_native_shape(here: Line) -> None:
    """A head that cannot be read is answered like a body that cannot."""
    with closing(dial(here)) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nbad header line\r\n\r\n")
        said = read_all(peer)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["type"] == "invalid_request_error"


def test_paths_methods_and_encodings_that_are_not_taken(here: Line) -> None:
    """404 with the paths that exist, 405 with `allow`, 415 for a compressed body."""
    answer = here.http.get("/v1/complete")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_path")
    answer = here.http.get("/v1/chat/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = here.http.post("/v1/models", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    answer = here.http.post(
        "/v1/chat/completions", content=b"x", headers={"content-encoding": "gzip"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "encoded_body")


def test_a_callers_broken_upload_is_a_cancelled_call(here: Line) -> None:
    """It leaves one record with status 499 and holds no bytes."""
    gone = 'pointsman_refusals_total{reason="caller_gone"}'
    before = here.sidecar.metric(gone)
    with closing(dial(here)) as peer:
        peer.sendall(f'{HEAD}content-length: 999\r\n\r\n{{"model":'.encode())
        eventually(lambda: here.sidecar.state()["in_flight"] == 1)
    eventually(lambda: here.sidecar.metric(gone) == before + 1)
    assert here.sidecar.state()["in_flight"] == 0
    assert here.chat().status_code == 200


def test_room_for_bodies_is_bounded_and_said_before_a_body_is_read(here: Line) -> None:
    """With 100 MiB on their way in, the next large body is a 503 with Retry-After; then it fits."""
    sending = [dial(here) for _ in range(2)]
    try:
        for peer in sending:
            peer.sendall(f"{HEAD}content-length: {50 * MIB + 100}\r\n\r\n".encode())
            peer.sendall(b" " * (50 * MIB - 1024))
        with closing(dial(here)) as late:
            late.sendall(f"{HEAD}content-length: {16 * MIB}\r\n\r\n".encode())
            said = read_all(late)
    finally:
        for peer in sending:
            peer.close()
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in said
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "overloaded"
    assert here.chat().status_code == 200


def bound(made: Line, *budgets: dict[str, Any]) -> dict[str, Any]:
    """`auto` goes to `a` under these Budgets."""
    return table([model("a", made.url("a"))], budgets=list(budgets))


def test_a_budgets_refusal_names_the_budget_and_the_limit(tmp_path: Path) -> None:
    """Without a ledger the one that is enforced refuses, though another is listed before it."""

    def build(made: Line) -> dict[str, Any]:
        return bound(made, budget(10**12, mode="Audit"), {**budget(10**13), "name": "strict"})

    with line(tmp_path, "a", build=build) as made:
        answer = made.chat()
        counted = 'pointsman_refusals_total{reason="ledger_unavailable"}'
        assert made.sidecar.metric(counted) == 1
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (429, "insufficient_quota")
    assert "Budget demo/strict, limit day (10 USD)," in error["message"]
    assert answer.headers["x-should-retry"] == "false"


def test_more_budgets_than_a_reservation_can_name_are_not_called_used_up(tmp_path: Path) -> None:
    """17 limits bind the call: a code of its own says so, and what helps."""
    many = [{**budget(10**12), "name": f"n{number:02}"} for number in range(17)]
    with line(tmp_path, "a", build=lambda made: bound(made, *many)) as made:
        answer = made.chat()
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (429, "insufficient_quota")
    assert error["code"] == "too_many_budgets"
    assert "demo/n00" in error["message"]
    assert "used up" not in error["message"]
