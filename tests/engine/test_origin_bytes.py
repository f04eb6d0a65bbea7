"""Raw bytes at the origin: what is not a named splice arrives as it was sent."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from support.line import Captured, Line

ODD = (
    b' {\n\t"temperature" :0.30,"messages":[{"role":"user","content":"h\\u00e9 \\ud83d\\ude00"}],'
    b'\r\n"model"\t:  "auto" , "metadata":{"model":"inner","a":[1,2,{"stream":true}]},'
    b'"unknown_field":1.0E+2,"x":"\\/"}\n\n'
)


def sent(here: Line, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> Captured:
    """Send these bytes; the request as `a` got it."""
    before = len(here.captured("a"))
    answer = here.http.post(
        path, content=body, headers={"content-type": "application/json"} | headers
    )
    assert answer.status_code == 200, answer.text
    (arrived,) = here.captured("a")[before:]
    return arrived


def test_odd_whitespace_and_unknown_fields_survive_byte_for_byte(here: Line) -> None:
    """Only the model's value differs."""
    assert sent(here, ODD).body == ODD.replace(b'"auto"', b'"a-2026"')


def test_escaped_key_names_are_the_keys_they_spell(here: Line) -> None:
    r"""`"mod\u0065l"` is `model`: its value is replaced, the key's own bytes stay."""
    body = b'{"mod\\u0065l":"auto","messages":[{"role":"user","content":"x"}]}'
    assert sent(here, body).body == body.replace(b'"auto"', b'"a-2026"')


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"auto","messages":[],"model":"b"}',
        b'{"model":"auto","messages":[],"mod\\u0065l":"b"}',
        b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"x"}],"stream":false}',
        b'{"model":"auto","messages":[],"messages":[]}',
    ],
)
def test_a_duplicate_interpreted_key_is_a_400_that_names_it(here: Line, body: bytes) -> None:
    """Which of two values counts is never guessed; nothing reaches the provider."""
    before = here.providers["a"].stats()["requests"]
    answer = here.http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("duplicate_key", "invalid_request_error")
    assert error["param"] in {"model", "stream", "messages"}
    assert here.providers["a"].stats()["requests"] == before


def test_duplicates_of_keys_that_nobody_interprets_pass(here: Line) -> None:
    """They are the provider's business."""
    body = b'{"model":"auto","zz":1,"messages":[{"role":"user","content":"x"}],"zz":2}'
    assert sent(here, body).body == body.replace(b'"auto"', b'"a-2026"')


def test_twenty_megabytes_with_the_model_last_arrive_unchanged(here: Line) -> None:
    """A large body is spliced at its very end and otherwise untouched."""
    text = b"lorem ipsum \\n " * (20 * 1024 * 1024 // 15)
    body = b'{"messages":[{"role":"user","content":"' + text + b'"}],"max_tokens":5,"model":"auto"}'
    arrived = sent(here, body)
    assert arrived.body == body.replace(b'"auto"', b'"a-2026"')
    assert int(arrived.headers["content-length"]) == len(arrived.body)


STREAM_OPTIONS: list[tuple[bytes, dict[str, Any]]] = [
    (b"", {"include_usage": True}),
    (b',"stream_options":{"include_usage":true}', {"include_usage": True}),
    (b',"stream_options":{"include_usage":false}', {"include_usage": True}),
    (b',"stream_options":{}', {"include_usage": True}),
    (b',"stream_options":null', {"include_usage": True}),
    (
        b',"stream_options": { "include_obfuscation" : false }',
        {"include_usage": True, "include_obfuscation": False},
    ),
    (b',"stream_options":{"include_usage":null}', {"include_usage": True}),
]


@pytest.mark.parametrize(("options", "expected"), STREAM_OPTIONS)
def test_streams_ask_for_usage_whatever_the_caller_said(
    here: Line, options: bytes, expected: dict[str, Any]
) -> None:
    """The provider is always asked for usage, other options stay, the rest is unchanged."""
    body = (
        b'{"model":"auto", "stream":true,"messages":[{"role":"user","content":"x"}]'
        + options
        + b"}"
    )
    before = len(here.captured("a"))
    answer = here.http.post("/v1/chat/completions", content=body)
    assert answer.text.endswith("data: [DONE]\n\n")
    asked = b'"include_usage":true}' in options.replace(b" ", b"")
    assert ('"choices":[]' in answer.text) == asked
    (arrived,) = here.captured("a")[before:]
    document = json.loads(arrived.body)
    assert document.pop("stream_options") == expected
    plain = json.loads(body)
    plain.pop("stream_options", None)
    assert document == plain | {"model": "a-2026"}


def test_a_plain_call_is_not_given_stream_options(here: Line) -> None:
    """`stream: false` with options of its own arrives as it was sent."""
    body = b'{"model":"auto","stream":false,"messages":[{"role":"user","content":"x"}]}'
    assert sent(here, body).body == body.replace(b'"auto"', b'"a-2026"')


def test_embeddings_bodies_pass_too(here: Line) -> None:
    """Only the model's value differs."""
    body = b'{"input":[ [1,2 ,3] ],"encoding_format":"base64","model":"auto"}'
    arrived = sent(here, body, "/v1/embeddings")
    assert arrived.body == body.replace(b'"auto"', b'"a-2026"')


def test_the_callers_credentials_and_our_own_headers_stay_here(here: Line) -> None:
    """Authorization, cookies and `x-pointsman-*` never reach a provider; the trace does."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    arrived = sent(
        here,
        ODD,
        authorization="Bearer sk-caller",
        cookie="session=1",
        **{
            "x-pointsman-team": "blue",
            "x-pointsman-key": "k",
            "x-api-key": "sk-other",
            "proxy-authorization": "Basic eA==",
            "traceparent": trace,
            "tracestate": "vendor=1",
            "user-agent": "app/1",
        },
    )
    names = set(arrived.headers)
    assert not names & {"authorization", "cookie", "x-api-key", "proxy-authorization"}
    assert not [name for name in names if name.startswith("x-pointsman")]
    assert arrived.headers["traceparent"] == trace, "nobody collects a span of ours"
    assert arrived.headers["tracestate"] == "vendor=1"
    assert arrived.headers["user-agent"] == "app/1"
    assert arrived.headers["accept-encoding"] == "identity"
    assert arrived.headers["host"] == here.providers["a"].address


def test_without_a_collector_no_trace_begins(here: Line) -> None:
    """A provider decides for itself whether to trace a call that its caller does not."""
    assert not {"traceparent", "tracestate"} & set(sent(here, ODD).headers)


def test_upstream_calls_carry_our_id_and_the_attempts_number(here: Line) -> None:
    """`x-client-request-id` joins the provider's bill with our record."""
    here.script("a", {"status": 500})
    before = len(here.captured("a")), len(here.captured("b"))
    answer = here.chat()
    own = answer.headers["x-pointsman-request-id"]
    first = [call.headers["x-client-request-id"] for call in here.captured("a")[before[0] :]]
    second = [call.headers["x-client-request-id"] for call in here.captured("b")[before[1] :]]
    assert (first, second) == ([f"{own}.1", f"{own}.2"], [f"{own}.3"])


def test_a_body_in_small_chunks_is_the_same_body(here: Line) -> None:
    """Transfer-encoding and pieces of the caller leave no trace upstream."""
    pieces = (ODD[at : at + 7] for at in range(0, len(ODD), 7))
    before = len(here.captured("a"))
    answer = httpx.post(f"{here.sidecar.url}/v1/chat/completions", content=pieces)
    assert answer.status_code == 200
    assert here.captured("a")[before].body == ODD.replace(b'"auto"', b'"a-2026"')
