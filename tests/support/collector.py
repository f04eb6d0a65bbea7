"""A collector of spans over real HTTP, which reads OTLP/JSON with OpenTelemetry's messages."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

INTERNAL = trace_pb2.Span.SPAN_KIND_INTERNAL
SERVER = trace_pb2.Span.SPAN_KIND_SERVER
CLIENT = trace_pb2.Span.SPAN_KIND_CLIENT
UNSET = trace_pb2.Status.STATUS_CODE_UNSET
ERROR = trace_pb2.Status.STATUS_CODE_ERROR
HELD_S = 60
IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True)
class Span:
    """One span, its ids in hexadecimal; `parent` is empty for a root."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    status: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass
class Collector:
    """What came in, and how to answer."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    """Of the next answers, then 200."""
    status: int = 200
    answer: bytes = b"{}"
    garbage: bool = False
    """Answer with what is no HTTP."""
    open: threading.Event = field(default_factory=threading.Event)
    """While it is not set, nothing is answered."""
    bodies: list[bytes] = field(default_factory=list)
    """All that was sent, taken or not."""
    taken: list[ExportTraceServiceRequest] = field(default_factory=list)
    """What was answered with 200."""

    def spans(self, trace: str = "") -> list[Span]:
        """The spans that were taken, of one trace or all, by their begin."""
        messages = [
            span
            for request in self.taken
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        spans = [read(message) for message in messages]
        wanted = [span for span in spans if trace in ("", span.trace)]
        return sorted(wanted, key=lambda span: (span.start_ns, -span.end_ns))

    def resource(self) -> dict[str, Any]:
        """Whose spans the last ones are."""
        return values(self.taken[-1].resource_spans[0].resource.attributes)


def read(message: trace_pb2.Span) -> Span:
    """From OpenTelemetry's message."""
    return Span(
        message.trace_id.hex(),
        message.span_id.hex(),
        message.parent_span_id.hex(),
        message.name,
        message.kind,
        message.status.code,
        message.start_time_unix_nano,
        message.end_time_unix_nano,
        values(message.attributes),
    )


def values(attributes: Any) -> dict[str, Any]:
    """Plain values; a name that is there twice is a fault."""
    pairs = [(pair.key, value_of(pair)) for pair in attributes]
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def value_of(pair: KeyValue) -> Any:
    """The one member that is set."""
    kind = pair.value.WhichOneof("value")
    assert kind is not None, pair.key
    return getattr(pair.value, kind)


def decode(body: bytes) -> ExportTraceServiceRequest:
    """Strictly: a field that OTLP does not know is an error.

    Ids are hexadecimal in OTLP's JSON, where protobuf's own has base64.
    """
    document = json.loads(body)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in [name for name in IDS if name in span]:
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(document, ExportTraceServiceRequest())


class Handler(BaseHTTPRequestHandler):
    """One batch."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take it, or not, as the test says."""
        collector = cast("CollectorServer", self.server).collector
        body = self.rfile.read(int(self.headers["content-length"]))
        collector.bodies.append(body)
        collector.open.wait(HELD_S)
        if collector.garbage:
            self.wfile.write(b"\x00\xff\x00 this is no HTTP\r\n\r\n")
            self.close_connection = True
            return
        right = (self.path, self.headers["content-type"]) == ("/v1/traces", "application/json")
        status = collector.statuses.pop(0) if collector.statuses else collector.status
        if right and status == 200:
            collector.taken.append(decode(body))
        try:
            self.send_response(status if right else 404)
            self.send_header("content-length", str(len(collector.answer)))
            self.end_headers()
            self.wfile.write(collector.answer)
        except OSError:
            self.close_connection = True  # the sidecar did not wait

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: pytest shows what matters."""


class CollectorServer(ThreadingHTTPServer):
    """Carries the collector to its handlers."""

    daemon_threads = True
    collector: Collector


@contextmanager
def collecting() -> Iterator[Collector]:
    """Serve on loopback while the block runs."""
    server = CollectorServer(("127.0.0.1", 0), Handler)
    collector = Collector(url=f"http://127.0.0.1:{server.server_address[1]}")
    collector.open.set()
    server.collector = collector
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        collector.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
