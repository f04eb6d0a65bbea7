"""Providers that fail before an answer has begun: the caller gets another's, or a clear error."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.line import Line, line
from support.tables import model, route, table

GARBAGE = base64.b64encode(b"220 smtp.example.org ready\r\n").decode()
SLOW = {"firstTokenMs": 300, "streamIdleMs": 400, "totalMs": 20_000}
ONE_TOKEN: dict[str, Any] = {"max_tokens": 1}


def build(made: Line) -> dict[str, Any]:
    """`auto`: `a` then `b`; `only`: `a` alone; both with little patience and many retries."""
    retries = {"maxAttempts": 4, "budgetPercent": 100, "minPerSecond": 1000}
    both = route("a", "b", timeouts=SLOW, retries=retries)
    alone = route("a", timeouts=SLOW, retries=retries)
    rules = [
        {"name": "only", "when": {"models": ["only"]}, "route": alone},
        {"name": "all", "when": {"models": ["auto"]}, "route": both},
    ]
    return table([model(name, made.url(name)) for name in ("a", "b")], rules)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Two providers under that table."""
    with line(tmp_path_factory.mktemp("pair"), "a", "b", build=build) as made:
        yield made


@pytest.fixture
def healthy(pair: Line) -> Line:
    """Both healthy, and `a` known as such."""
    for name in pair.providers:
        pair.script(name)
    for _ in range(3):
        assert pair.chat(model="only").status_code == 200
    assert pair.sidecar.state()["targets"]["main/a"] == "Closed"
    return pair


FAULTS: dict[str, tuple[dict[str, Any], str, int]] = {
    "reset before the first byte": ({"refuse": True}, "Connect", 2),
    "no HTTP": ({"raw": GARBAGE}, "Connect", 2),
    "headers beyond all bounds": ({"headers": {"x-big": "y" * 70_000}}, "Server", 2),
    "reset after the first byte": ({"cutAtByte": 9}, "TruncatedEarly", 2),
    "cut without an end": ({"cutAtByte": 9, "cut": "eof"}, "TruncatedEarly", 2),
    "a whole message with half an answer": ({"cutAtByte": 90, "cut": "end"}, "TruncatedEarly", 2),
    "200 then garbage": ({"status": 200, "body": "<html>busy</html>"}, "TruncatedEarly", 2),
    "accepts and stalls": ({"acceptAndStall": True}, "SlowFirstToken", 1),
    "stalls after its head": ({"stallAtByte": 0}, "SlowFirstToken", 1),
    "500": ({"status": 500}, "Server", 2),
    "502": ({"status": 502}, "Server", 2),
    "504": ({"status": 504}, "Server", 2),
    "408": ({"status": 408}, "Server", 2),
    "503": ({"status": 503, "headers": {"retry-after": "1"}}, "Overload", 1),
    "529": ({"status": 529}, "Overload", 1),
    "429": ({"status": 429, "headers": {"retry-after": "1"}}, "RateLimit", 1),
    "401": ({"status": 401}, "Auth", 1),
    "404": ({"status": 404}, "ModelGone", 1),
    "402": ({"status": 402}, "Quota", 1),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_provider_is_replaced_before_anything_went_down(
    healthy: Line, fault: str, *, streamed: bool
) -> None:
    """The next candidate answers; class, retries and both attempts are in the record."""
    action, label, tries = FAULTS[fault]
    healthy.script("a", action, model="a-2026")
    before = {name: one.stats()["requests"] for name, one in healthy.providers.items()}
    if streamed:
        seen = healthy.stream(**ONE_TOKEN)
        assert seen.done, seen.raw
        headers = seen.headers
    else:
        answer = healthy.chat(**ONE_TOKEN)
        assert answer.status_code == 200, answer.text
        headers = answer.headers
    assert headers["x-pointsman-model"] == "main/b"
    record = healthy.sidecar.record(headers["x-pointsman-request-id"])
    assert [row["class"] for row in record["attempts"]] == [label] * tries + ["ok"]
    assert record["outcome"] == "ok"
    after = {name: one.stats()["requests"] for name, one in healthy.providers.items()}
    assert (after["a"] - before["a"], after["b"] - before["b"]) == (tries, 1)
    healthy.script("a")
    recover(healthy)


def recover(made: Line) -> None:
    """One good answer, asked for by name, closes the breaker: nobody is ejected who is the last."""
    assert made.chat(model="only").status_code == 200


ERRORS = {
    "reset before the first byte": (502, "upstream_unreachable"),
    "accepts and stalls": (504, "upstream_timeout"),
    "500": (502, "upstream_failed"),
    "503": (503, "upstream_overloaded"),
    "401": (502, "upstream_credential_rejected"),
    "404": (502, "upstream_model_gone"),
    "200 then garbage": (502, "upstream_truncated"),
    "a whole message with half an answer": (502, "upstream_truncated"),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", ERRORS)
def test_when_nobody_else_is_left_the_caller_gets_one_clear_error(
    healthy: Line, fault: str, *, streamed: bool
) -> None:
    """OpenAI's shape, our status, and SDKs are told not to retry what we have retried."""
    healthy.script("a", FAULTS[fault][0], model="a-2026")
    answer = healthy.chat(model="only", stream=streamed, **ONE_TOKEN)
    status, code = ERRORS[fault]
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["content-type"] == "application/json"
    record = healthy.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert (record["outcome"], record["class"]) == ("failed", FAULTS[fault][1])
    healthy.script("a")
    recover(healthy)


BAD = {
    "error": {
        "message": "bad  temperature\u00e9",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": "x",
    }
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("status", [400, 422])
def test_a_providers_bad_request_passes_on_unchanged(
    healthy: Line, status: int, *, streamed: bool
) -> None:
    """Its bytes and status go down, no other provider is bothered, nobody's health suffers."""
    text = json.dumps(BAD, indent=1)
    healthy.script("a", {"status": status, "body": text})
    before = healthy.providers["b"].stats()["requests"]
    answer = healthy.chat(stream=streamed)
    assert (answer.status_code, answer.text) == (status, text)
    assert "x-should-retry" not in answer.headers
    assert healthy.providers["b"].stats()["requests"] == before
    assert healthy.sidecar.state()["targets"]["main/a"] == "Closed"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_answer_compressed_although_not_asked_is_decoded_and_billed(
    healthy: Line, coding: str
) -> None:
    """Plain and stream arrive readable, with the reported usage in the record."""
    healthy.script("a", {"compress": coding, "text": "squeezed words " * 20})
    text = "squeezed words " * 20

    def plain() -> httpx.Headers:
        answer = healthy.chat()
        assert answer.json()["choices"][0]["message"]["content"] == text
        assert "content-encoding" not in answer.headers
        return answer.headers

    def stream() -> httpx.Headers:
        seen = healthy.stream()
        assert (seen.done, seen.text) == (True, text)
        return seen.headers

    for call in (plain, stream):
        record = kept(healthy, call)
        assert record["usage"]["source"] == "reported"
        assert record["cost"] > 0


def kept(made: Line, call: Callable[[], httpx.Headers]) -> dict[str, Any]:
    """The record of a success; above fifty a second they are sampled, so it may take two calls."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        own = call()["x-pointsman-request-id"]
        answer = made.http.get(f"{made.sidecar.admin_url}/debug/decisions/{own}")
        if answer.status_code == httpx.codes.OK:
            found.append(answer.json())
        return bool(found)

    eventually(look)
    return found[0]


def test_a_rate_limit_without_an_alternative_is_waited_out_once(healthy: Line) -> None:
    """Retry-After within our patience: one pause, then the answer."""
    healthy.providers["a"].script(
        {"match": {"nth": [1]}, "do": {"status": 429, "headers": {"retry-after": "1"}}}
    )
    answer = healthy.chat(model="only")
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() > 0.9
    healthy.script("a", {"status": 429, "headers": {"retry-after": "60"}})
    answer = healthy.chat(model="only")
    assert answer.status_code in {429, 503}
    assert answer.elapsed.total_seconds() < 1.5
    healthy.script("a")
    recover(healthy)


def test_a_slow_first_token_is_left_and_its_call_upstream_cancelled(healthy: Line) -> None:
    """The provider that thinks too long is hung up on before the next one is asked."""
    healthy.script("a", {"firstTokenMs": 10_000, "text": "late"})
    before = healthy.providers["a"].stats()["cancelled"]
    seen = healthy.stream()
    assert seen.done
    assert seen.headers["x-pointsman-model"] == "main/b"
    stats = healthy.providers["a"].stats()
    assert (stats["cancelled"], stats["open"]) == (before + 1, 0)
    healthy.script("a")
    recover(healthy)


def test_one_in_five_failing_costs_no_call(healthy: Line) -> None:
    """100 calls against a provider that fails every fifth request all succeed."""
    for action in ({"status": 500}, {"refuse": True}, {"cutAtByte": 30}):
        healthy.script("a", {**action, "oneIn": 5}, model="a-2026")
        assert {healthy.chat().status_code for _ in range(33)} == {200}
    assert healthy.stream().done
