"""One run of the load client against one target, with the target's CPU over the same window."""

from __future__ import annotations

import json
import subprocess
import time
from array import array
from dataclasses import dataclass
from pathlib import Path

from bench.children import program, simulator
from bench.machine import LOAD_CORE, BenchError, Usage, rss_mib, usage
from bench.targets import Target


@dataclass(frozen=True)
class Load:
    """What is sent."""

    bodies: Path
    connections: int
    duration_s: float
    warmup_s: float = 1.0
    rate: float | None = None
    """Requests a second that fall due, whether or not anybody is free; none: closed loop."""
    stream_chunks: int = 0
    """Content events that every stream must have; 0: plain answers."""


@dataclass(frozen=True)
class Run:
    """What came back; every answer was checked to the byte."""

    samples_ns: array[int]
    """Latencies, sorted; of streams the time to the first content."""
    rps: float
    chunks: int
    """Content events within the window."""
    began_s: float
    """When the window opened, in seconds since the epoch."""
    seconds: float
    backlog: int
    """Due requests that were never sent."""
    used: Usage
    rss_mib: float
    """The target's resident memory at the end of the window."""

    @property
    def requests(self) -> int:
        """Requests answered."""
        return len(self.samples_ns)

    @property
    def cpu_us_per_request(self) -> float:
        """The target's CPU for one request."""
        return self.used.cpu_s * 1e6 / self.requests

    @property
    def cpu_us_per_chunk(self) -> float:
        """The target's CPU for one content event."""
        return self.used.cpu_s * 1e6 / self.chunks


def run(target: Target, load: Load, folder: Path) -> Run:
    """Load a target; BenchError if a single answer was wrong."""
    samples = folder / "samples"
    command = [program("taskset"), "-c", str(LOAD_CORE), simulator(), "load", "--check"]
    command += ["--target", target.url, "--bodies", str(load.bodies), "--samples", str(samples)]
    command += ["--connections", str(load.connections)]
    command += ["--duration-s", str(load.duration_s), "--warmup-s", str(load.warmup_s)]
    command += ["--header", "authorization: Bearer bench"]
    if load.rate is not None:
        command += ["--rate", str(load.rate)]
    if load.stream_chunks:
        command += ["--stream", "--stream-chunks", str(load.stream_chunks)]
    pids = list(target.pids)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise BenchError("the load client has no output")
        _expect(process.stdout.readline(), "begin")
        before, began_s = usage(pids), time.time()
        _expect(process.stdout.readline(), "end")
        used = usage(pids).since(before)
        memory_mib = rss_mib(pids)
        said = process.stdout.readline()
    found = json.loads(said or "{}")
    if found.get("errors") != 0 or not found["requests"]:
        raise BenchError(f"{target.name}: not every answer was right: {said}")
    latencies = array("Q", samples.read_bytes())
    return Run(
        samples_ns=array("Q", sorted(latencies)),
        rps=found["rps"],
        chunks=found["chunks"],
        began_s=began_s,
        seconds=found["seconds"],
        backlog=found["backlog"],
        used=used,
        rss_mib=memory_mib,
    )


def _expect(line: str, word: str) -> None:
    if line.strip() != word:
        raise BenchError(f"the load client said {line!r} instead of {word!r}")
