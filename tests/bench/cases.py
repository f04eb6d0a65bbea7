"""What is measured: which bodies, how many connections, which targets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

STREAMS = 2000
CHUNK_INTERVAL_MS = 50
"""20 chunks a second."""
FIRST_TOKEN_CHUNKS = 3
"""Few: on the core that origin and load share the first would wait behind the others."""

ALL = ("direct", "nginx", "hyper", "sidecar")
PROXIES = ("nginx", "hyper", "sidecar")
LADDER = ("direct", "hyper", "sidecar")
PAIR = ("hyper", "sidecar")
SUBJECT = ("sidecar",)

ALTERNATING: dict[str, Any] = {"turns": 6, "duration_s": 0.5, "warmup_s": 0.15, "awake": True}
"""One connection each: three seconds of each target in a round, by turns."""


@dataclass(frozen=True)
class Body:
    """What requests look like."""

    model: str = "auto"
    size: int = 1024
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One load, sent to each of its targets once a round."""

    name: str
    body: Body
    targets: tuple[str, ...]
    connections: int = 1
    duration_s: float = 3.0
    warmup_s: float = 0.5
    turns: int = 1
    """Windows a round of each target, by turns: a shared machine drifts by more within seconds than
    targets differ in what they add to one call."""
    awake: bool = False
    """Keep the cores from halting: to wake a virtual machine's core takes tens of microseconds, the
    more the longer it slept, which is the host's doing and several times what is measured."""
    peak_share: float | None = None
    """Open loop at this share of the sidecar's own closed-loop peak."""
    stream_chunks: int = 0

    def faster(self, factor: float) -> Case:
        """The same with shorter windows, to try the bench itself."""
        return replace(self, duration_s=self.duration_s * factor)


def cases(stream_seconds: float = 10.0) -> tuple[Case, ...]:
    """All cases, in the order of a round; throughput comes before the shares of its peak."""
    chunks = int(stream_seconds * 1000 / CHUNK_INTERVAL_MS)
    first = Body(extra={"stream": True, "bench_stream": [FIRST_TOKEN_CHUNKS, 0]})
    paced = Body(extra={"stream": True, "bench_stream": [chunks, CHUNK_INTERVAL_MS]})
    return (
        Case("latency_1kb", Body(), ALL, **ALTERNATING),
        Case("throughput", Body(), PROXIES, connections=64, duration_s=4.0, warmup_s=1.0),
        *(
            Case(f"open{int(share * 100)}", Body(), LADDER, connections=64, peak_share=share)
            for share in (0.25, 0.5, 0.75)
        ),
        Case("fixed", Body(model="fixed"), SUBJECT, connections=64, duration_s=4.0, warmup_s=1.0),
        Case("latency_10kb", Body(size=10 * 1024), LADDER, **ALTERNATING),
        Case("latency_200kb", Body(size=200 * 1024), LADDER, **ALTERNATING),
        Case("latency_fixed", Body(model="fixed"), SUBJECT, **ALTERNATING),
        Case("latency_translated", Body(model="translated"), SUBJECT, **ALTERNATING),
        Case("latency_tls", Body(model="secure"), SUBJECT, **ALTERNATING),
        Case(
            "throughput_tls",
            Body(model="secure"),
            SUBJECT,
            connections=64,
            duration_s=4.0,
            warmup_s=1.0,
        ),
        Case("first_token", first, LADDER, stream_chunks=FIRST_TOKEN_CHUNKS),
        Case(
            "streams",
            paced,
            PAIR,
            connections=STREAMS,
            duration_s=stream_seconds / 2,
            warmup_s=stream_seconds / 4,
            stream_chunks=chunks,
        ),
    )
