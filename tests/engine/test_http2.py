"""HTTP/2 over TLS to a provider whose certificate the sidecar trusts by `SSL_CERT_FILE`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.eventually import eventually
from support.line import Line, line, route_all


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line to one TLS provider."""
    folder = tmp_path_factory.mktemp("h2")
    config = {"tls": {"certOut": str(folder / "cert.pem")}}
    with line(folder, "a", config=config, SSL_CERT_FILE=str(folder / "cert.pem")) as made:
        yield made


def test_tls_upstreams_are_spoken_to_in_http2(secure: Line) -> None:
    """Plain and stream over one verified connection."""
    assert secure.chat().status_code == 200
    assert secure.stream().done
    assert [call.head["version"] for call in secure.captured("a")] == ["HTTP/2.0", "HTTP/2.0"]


def test_many_streams_share_few_connections(secure: Line) -> None:
    """150 streams at once all end properly, over no more connections than their number asks for."""
    secure.script("a", {"text": "word " * 50, "firstTokenMs": 300, "tokensPerSecond": 500})
    before = secure.providers["a"].stats()["connections"]
    with ThreadPoolExecutor(150) as pool:
        seen = list(pool.map(lambda _: secure.stream(), range(150)))
    assert all(one.done and one.text == "word " * 50 for one in seen)
    assert secure.providers["a"].stats()["connections"] - before <= 3


def test_a_reset_stream_harms_no_other_on_its_connection(secure: Line) -> None:
    """One stream is cut by RST_STREAM, its neighbours on the connection end properly."""
    before = secure.providers["a"].stats()["connections"]
    paced = {"text": "word " * 40, "tokensPerSecond": 400}
    secure.providers["a"].script(
        {"match": {"nth": [5]}, "do": {**paced, "cutAtEvent": 6}}, {"do": paced}
    )
    with ThreadPoolExecutor(10) as pool:
        seen = list(pool.map(lambda _: secure.stream(), range(10)))
    assert sorted(one.done for one in seen) == [False] + [True] * 9
    (cut,) = [one for one in seen if not one.done]
    assert cut.broken
    assert cut.error is not None
    assert secure.providers["a"].stats()["connections"] - before <= 1


def test_a_caller_that_leaves_cancels_only_its_own_stream(secure: Line) -> None:
    """RST_STREAM goes up; the connection serves on."""
    secure.script("a", {"text": "word " * 400, "tokensPerSecond": 50})
    before = secure.providers["a"].stats()
    asking = secure.http.stream(
        "POST",
        "/v1/chat/completions",
        json={"model": "auto", "stream": True, "messages": [{"role": "user", "content": "x"}]},
    )
    with asking as answer:
        next(answer.iter_raw())
    eventually(lambda: secure.providers["a"].stats()["cancelled"] == before["cancelled"] + 1)
    assert secure.providers["a"].stats()["connections"] == before["connections"]


def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(tmp_path: Path) -> None:
    """Without the certificate among the roots the call fails as unreachable, nothing is sent."""
    config = {"tls": {"certOut": str(tmp_path / "cert.pem")}}
    with line(tmp_path, "a", config=config, build=route_all) as made:
        answer = made.chat()
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_unreachable"
        assert made.captured("a") == []
