"""What a collector sees of a call: one tree, by OpenTelemetry's conventions, and no content."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.collector import CLIENT, ERROR, INTERNAL, SERVER, UNSET, Collector, Span, collecting
from support.eventually import eventually
from support.line import Line, asked, line
from support.tables import model, table

KEY, CALLERS, PROMPT, ANSWER = "sk-canary-key", "sk-canary-caller", "canary-prompt", "canary-answer"
CALLERS_SPAN = "00f067aa0ba902b7"


@dataclass
class Traced:
    """A line and the collector of its spans."""

    line: Line
    collector: Collector

    def tree(self, trace: str) -> list[Span]:
        """A call's spans, root first, as soon as they are here."""
        eventually(lambda: self.collector.spans(trace))
        return self.collector.spans(trace)


def build(made: Line) -> dict[str, Any]:
    """Each model wants a key."""
    credential = {"secret": "openai", "key": "api-key"}
    provider = {"credential": credential}
    return table([model(name, made.url(name), provider=provider) for name in made.providers])


@contextmanager
def traced_line(folder: Path) -> Iterator[Traced]:
    """Two providers, a sidecar that wants keys, a collector."""
    (folder / "secrets" / "openai").mkdir(parents=True)
    (folder / "secrets" / "openai" / "api-key").write_text(KEY)
    (folder / "secrets" / "openai" / "allowed-hosts").write_text("127.0.0.1")
    with (
        collecting() as collector,
        line(
            folder,
            *("a", "b"),
            build=build,
            POINTSMAN_OTLP_ENDPOINT=collector.url,
            POINTSMAN_POD="app-1",
        ) as made,
    ):
        yield Traced(made, collector)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """Started once."""
    with traced_line(tmp_path_factory.mktemp("spans")) as made:
        yield made


@pytest.fixture
def traced(shared: Traced) -> Traced:
    """With healthy providers; a test that hurts their health takes `own`."""
    shared.line.script("a")
    return shared


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Traced]:
    """For one test."""
    with traced_line(tmp_path) as made:
        yield made


def sampled(trace: str, flags: str = "01") -> dict[str, str]:
    """The headers of a caller that traces."""
    return {
        "traceparent": f"00-{trace}-{CALLERS_SPAN}-{flags}",
        "tracestate": "vendor=1",
        "authorization": f"Bearer {CALLERS}",
    }


def of_kind(spans: list[Span], kind: int) -> list[Span]:
    """In order."""
    return [span for span in spans if span.kind == kind]


def test_a_call_is_one_tree_under_the_callers_span(traced: Traced) -> None:
    """Caller > request > stages and attempt > whatever the provider traces."""
    trace = secrets.token_hex(16)
    answer = traced.line.chat(headers=sampled(trace))
    root, *parts = traced.tree(trace)
    assert (root.kind, root.parent, root.name) == (
        SERVER,
        CALLERS_SPAN,
        "POST /v1/chat/completions",
    )
    assert {span.parent for span in parts} == {root.id}
    assert [span.name for span in of_kind(parts, INTERNAL)] == ["scan", "choose", "budget"]
    [attempt] = of_kind(parts, CLIENT)
    assert attempt.name == "chat a-2026"
    assert len({span.id for span in (root, *parts)}) == 5
    arrived = traced.line.captured("a")[-1].headers
    assert arrived["traceparent"] == f"00-{trace}-{attempt.id}-01"
    assert arrived["tracestate"] == "vendor=1"
    for span in (root, *parts):
        assert span.status == UNSET
        assert "error.type" not in span.attributes
        assert root.start_ns <= span.start_ns <= span.end_ns <= root.end_ns
    assert root.attributes["pointsman.request_id"] == answer.headers["x-pointsman-request-id"]


def test_attributes_follow_the_conventions(traced: Traced) -> None:
    """Models, tokens as the provider counts them, server, status; and whose spans they are."""
    trace = secrets.token_hex(16)
    usage = traced.line.chat(headers=sampled(trace)).json()["usage"]
    root, *parts = traced.tree(trace)
    [attempt] = of_kind(parts, CLIENT)
    host, port = traced.line.providers["a"].address.split(":")
    assert attempt.attributes.pop("gen_ai.response.id")
    assert attempt.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "sim-a",
        "gen_ai.request.model": "a-2026",
        "gen_ai.response.model": "a-2026",
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "pointsman.model": "main/a",
        "server.address": host,
        "server.port": int(port),
    }
    assert root.attributes.pop("pointsman.cost_usd") > 0
    assert root.attributes.pop("pointsman.request_id").startswith("pm-")
    assert root.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "auto",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/chat/completions",
        "pointsman.model": "main/a",
        "pointsman.outcome": "ok",
        "pointsman.rule": "all",
    }
    assert traced.collector.resource() == {
        "service.name": "pointsman/app",
        "service.namespace": "demo",
        "service.instance.id": "sidecar-1",
        "k8s.pod.name": "app-1",
    }


def test_failover_shows_both_attempts_and_why_the_first_failed(own: Traced) -> None:
    """The failed one has class and status; the provider that answered hangs below the second."""
    trace = secrets.token_hex(16)
    own.line.script("a", {"status": 429})
    assert own.line.chat(headers=sampled(trace)).status_code == 200
    root, *parts = own.tree(trace)
    first, second = of_kind(parts, CLIENT)
    assert (first.status, first.attributes["error.type"]) == (ERROR, "RateLimit")
    assert first.attributes["http.response.status_code"] == 429
    assert first.attributes["pointsman.model"] == "main/a"
    assert not [name for name in first.attributes if name.startswith("gen_ai.usage")]
    assert (second.status, second.attributes["pointsman.model"]) == (UNSET, "main/b")
    assert second.attributes["http.request.resend_count"] == 1
    assert first.end_ns <= second.start_ns
    stages = [span.name for span in of_kind(parts, INTERNAL)]
    assert stages == ["scan", "choose", "budget", "budget"], "each attempt is paid for"
    assert (root.status, root.attributes["pointsman.model"]) == (UNSET, "main/b")
    ids = [own.line.captured(name)[-1].headers["traceparent"].split("-")[2] for name in "ab"]
    assert ids == [first.id, second.id]


def test_a_streams_spans_end_when_the_stream_does(traced: Traced) -> None:
    """Not at its first content; model and tokens are in it as in a plain call's."""
    trace = secrets.token_hex(16)
    traced.line.script("a", {"text": "word " * 30, "tokensPerSecond": 60})
    assert traced.line.stream(headers=sampled(trace)).done
    root, *parts = traced.tree(trace)
    [attempt] = of_kind(parts, CLIENT)
    assert min(root.seconds, attempt.seconds) > 0.4
    assert attempt.attributes["gen_ai.response.model"] == "a-2026"
    assert attempt.attributes["gen_ai.usage.output_tokens"] >= 30
    assert attempt.status == UNSET


def test_a_stream_that_broke_off_failed_both(own: Traced) -> None:
    """The 200 went down before: only the span says that it was no success."""
    trace = secrets.token_hex(16)
    own.line.script("a", {"text": "word " * 30, "cutAtEvent": 10})
    assert own.line.stream(headers=sampled(trace)).broken
    root, *parts = own.tree(trace)
    [attempt] = of_kind(parts, CLIENT)
    for span in (root, attempt):
        assert (span.status, span.attributes["error.type"]) == (ERROR, "MidStream")
        assert span.attributes["http.response.status_code"] == 200
    assert not [name for name in attempt.attributes if name.startswith("gen_ai.usage")]


@pytest.mark.parametrize(
    ("body", "status", "stages", "error"),
    [
        ({**asked(), "model": "nobody"}, 404, ["scan", "choose"], "BadRequest"),
        ({"model": "auto", "messages": 7}, 400, ["scan"], "BadRequest"),
    ],
)
def test_a_refused_call_ends_in_the_stage_that_refused_it(
    traced: Traced, body: dict[str, Any], status: int, stages: list[str], error: str
) -> None:
    """Without an attempt; the caller's mistake is no fault of the server's span."""
    trace = secrets.token_hex(16)
    answer = traced.line.http.post("/v1/chat/completions", json=body, headers=sampled(trace))
    assert answer.status_code == status
    root, *parts = traced.tree(trace)
    assert [span.name for span in parts] == stages
    assert (parts[-1].status, parts[-1].attributes["error.type"]) == (ERROR, error)
    assert {span.status for span in parts[:-1]} <= {UNSET}
    assert (root.status, root.attributes["http.response.status_code"]) == (UNSET, status)
    assert root.attributes["pointsman.outcome"] == "refused"


def test_what_the_caller_does_not_sample_is_not_exported(traced: Traced) -> None:
    """Flag 00 goes on to the provider; the next call's spans arrive, this one's never."""
    unwanted, wanted = secrets.token_hex(16), secrets.token_hex(16)
    assert traced.line.chat(headers=sampled(unwanted, "00")).status_code == 200
    sent = traced.line.captured("a")[-1].headers["traceparent"].split("-")
    assert (sent[1], sent[3]) == (unwanted, "00")
    assert traced.line.chat(headers=sampled(wanted)).status_code == 200
    assert traced.tree(wanted)
    assert not traced.collector.spans(unwanted)


@pytest.mark.parametrize("given", ["", "00-xyz-00f067aa0ba902b7-01"])
def test_without_a_usable_traceparent_a_trace_begins_here(traced: Traced, given: str) -> None:
    """Its root is the request; the state of a trace that is not continued goes nowhere."""
    headers = {"traceparent": given, "tracestate": "vendor=1"} if given else {}
    assert traced.line.chat(headers=headers).status_code == 200
    arrived = traced.line.captured("a")[-1].headers
    trace = arrived["traceparent"].split("-")[1]
    root = traced.tree(trace)[0]
    assert (root.kind, root.parent) == (SERVER, "")
    assert "tracestate" not in arrived


def test_neither_prompts_nor_answers_nor_keys_are_exported(own: Traced) -> None:
    """In good and bad days, plain and streamed; error pages that quote the key too."""
    trace = secrets.token_hex(16)
    headers = {**sampled(trace), "x-pointsman-team": PROMPT, "x-pointsman-key": PROMPT}
    quoting = {"error": {"message": f"{ANSWER}: wrong key {KEY}", "code": ANSWER, "type": ANSWER}}
    actions: list[dict[str, Any]] = [
        {"text": ANSWER},
        {"status": 400, "body": quoting},
        {"status": 500, "body": quoting},
        {"text": ANSWER * 20, "cutAtEvent": 3},
    ]
    for action in actions:
        own.line.script("a", action)
        own.line.chat(headers=headers, text=PROMPT, user=PROMPT)
        own.line.stream(headers=headers, text=PROMPT, user=PROMPT)
    calls = 2 * len(actions)
    eventually(lambda: len(of_kind(own.collector.spans(trace), SERVER)) == calls)
    arrived = own.line.captured("a")[-1]
    assert arrived.headers["authorization"] == f"Bearer {KEY}", "the canary did travel"
    assert PROMPT.encode() in arrived.body
    everything = b"".join(own.collector.bodies)
    for canary in (KEY, CALLERS, PROMPT, ANSWER):
        assert canary.encode() not in everything
