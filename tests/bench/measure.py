"""The rounds: every case against every target, by turns, each target first in its turn."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from bench.awake import keep_awake
from bench.bodies import write_bodies
from bench.cases import CHUNK_INTERVAL_MS, STREAMS, Case
from bench.load import Load, Run, run
from bench.machine import BenchError
from bench.targets import Target

BOUND = 0.95
"""A throughput row counts only when the proxy's core is at least so busy."""
FOREIGN_MAX = 0.05
"""… and when no more than this of it went to somebody else."""
ROUNDS_COUNTED_MIN = 3
BACKLOG_SHARE_MAX = 0.01
CHUNKS_SHARE_MIN = 0.98
TRIES = 3
"""How often a load may fail to be delivered before that is the result."""

Say = Callable[[str], None]


@dataclass
class Results:
    """Every run, by case and target, in the order of the rounds."""

    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)

    def of(self, case: str, target: str) -> list[Run]:
        """The runs of one target."""
        return self.runs[case, target]

    def has(self, case: str, target: str) -> bool:
        """Whether this was measured."""
        return (case, target) in self.runs

    def samples(self, case: str, target: str) -> list[array[int]]:
        """Sorted latencies of each round."""
        return [one.samples_ns for one in self.of(case, target)]

    def requests(self, target: str) -> int:
        """All requests that a target answered."""
        of_target = [runs for (_, name), runs in self.runs.items() if name == target]
        return sum(one.requests for runs in of_target for one in runs)

    def bound(self, case: str, target: str) -> list[Run]:
        """The rounds in which the target itself kept core 0 busy, which was the limit."""
        return [
            one
            for one in self.of(case, target)
            if one.used.busy >= BOUND and one.used.foreign <= FOREIGN_MAX
        ]


def measure(
    plan: Sequence[Case], targets: dict[str, Target], rounds: int, folder: Path, say: Say
) -> Results:
    """Run all rounds; BenchError if an answer was wrong or a load was not what it should be."""
    bodies = {case.name: folder / f"{case.name}.jsonl" for case in plan}
    for case in plan:
        write_bodies(bodies[case.name], case.body.model, case.body.size, case.body.extra)
    results = Results()
    for number in range(rounds):
        for case in plan:
            present = [name for name in case.targets if name in targets]
            with keep_awake() if case.awake else nullcontext():
                for name in _turns(case, present, number):
                    load = _load(case, bodies[case.name], results)
                    one = _delivered(case, targets[name], load, folder, say)
                    results.runs.setdefault((case.name, name), []).append(one)
                    at = f"round {number + 1}/{rounds}"
                    say(f"{at}  {case.name:<15} {name:<8} {_gist(case, one)}")
    return results


def check_baseline(results: Results) -> None:
    """Raise BenchError unless the hyper row is a baseline: bound by core 0, 80 % of nginx."""
    hyper = results.of("throughput", "hyper")
    if len(results.bound("throughput", "hyper")) < len(hyper):
        busy = [f"{one.used.busy:.0%}, others {one.used.foreign:.0%}" for one in hyper]
        raise BenchError(f"the hyper row is not bound by core 0 ({'; '.join(busy)}): no baseline")
    if not results.has("throughput", "nginx"):
        return
    nginx = results.of("throughput", "nginx")
    # Where nginx leaves its core idle, its rate is the load's, not its own: compare the cost.
    cost = fmean(one.used.cpu_s / one.requests for one in nginx)
    share = cost / fmean(one.used.cpu_s / one.requests for one in hyper)
    if results.bound("throughput", "nginx"):
        share = fmean(one.rps for one in hyper) / fmean(one.rps for one in nginx)
    if share < 0.8:
        raise BenchError(f"the hyper proxy reaches {share:.0%} of nginx, less than 80 %")


def _turns(case: Case, present: Sequence[str], number: int) -> Iterator[str]:
    """Who is measured, one after the other, in a round: each is first in its turn."""
    for turn in range(case.turns if present else 0):
        first = (number + turn) % len(present)
        yield from (*present[first:], *present[:first])


def _load(case: Case, bodies: Path, results: Results) -> Load:
    rate = None
    if case.peak_share is not None:
        subject = "sidecar" if results.has("throughput", "sidecar") else "hyper"
        # This round's peak: on a shared machine that of minutes ago may be out of reach by now.
        rate = case.peak_share * results.of("throughput", subject)[-1].rps
    return Load(
        bodies=bodies,
        connections=case.connections,
        duration_s=case.duration_s,
        warmup_s=case.warmup_s,
        rate=rate,
        stream_chunks=case.stream_chunks,
    )


def _delivered(case: Case, target: Target, load: Load, folder: Path, say: Say) -> Run:
    """A run under the whole load; tried again, visibly, where the machine took a part of it away.

    Raises BenchError where it stays so: the target cannot bear that load.
    """
    for _ in range(TRIES):
        one = run(target, load, folder)
        missing = _missing(case, one)
        if not missing:
            return one
        say(f"not counted: {case.name}: {target.name} {missing}")
    raise BenchError(f"{case.name}: {target.name} {missing}, {TRIES} times")


def _missing(case: Case, one: Run) -> str:
    """What of the load was not delivered: its latency would be another load's."""
    if one.backlog > BACKLOG_SHARE_MAX * one.requests:
        return f"left {one.backlog} due requests unsent"
    due = STREAMS * one.seconds * 1000 / CHUNK_INTERVAL_MS
    if case.connections == STREAMS and one.chunks < CHUNKS_SHARE_MIN * due:
        return f"brought {one.chunks} of {due:.0f} chunks"
    return ""


def _gist(case: Case, one: Run) -> str:
    middle = one.samples_ns[len(one.samples_ns) // 2] / 1000
    rate = (
        f"{one.chunks / one.seconds:,.0f} chunks/s" if case.stream_chunks else f"{one.rps:,.0f}/s"
    )
    core = f"core 0 {one.used.busy:4.0%}, others {one.used.foreign:.0%}"
    return f"{rate:>18}  p50 {middle:8.1f} us  {core}"
