"""The demo from curtain to curtain: start, three acts, audit, what to do next."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pointsman_operator.cli.demo import failover, latency, pocket, private, traffic
from pointsman_operator.cli.demo.audit import Audit, audit, bills
from pointsman_operator.cli.demo.calls import Call, sdk
from pointsman_operator.cli.demo.epsilon import terms
from pointsman_operator.cli.demo.stage import PRIMARY, Stage, raise_curtain
from pointsman_operator.cli.output import OUT
from pointsman_operator.demo_data.questions import load

EVERY_CALL = "demo/company/"
"""Accounts of the Budget that binds every call of the example."""


@dataclass(frozen=True)
class DemoOptions:
    """What can be chosen about the demo."""

    folder: Path
    state: Path
    page: Path
    local_model: bool = True


@dataclass
class Story:
    """All that happened, for the closing table and the page."""

    started_s: float
    private: list[Call] = field(default_factory=list)
    traffic: traffic.Traffic | None = None
    latency: latency.Latency | None = None
    failover: failover.Failover | None = None
    pocket: pocket.Pocket | None = None
    audit: Audit | None = None
    spend: dict[str, dict[str, Any]] = field(default_factory=dict)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each part took."""

    @property
    def first_answer_s(self) -> float | None:
        """Seconds from the start to the end of the first answer that was routed."""
        routed = self.traffic.calls if self.traffic is not None else ()
        ends = [call.ended_s for call in (*self.private, *routed) if call.ok and call.ended_s]
        return min(ends) - self.started_s if ends else None

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Note how long a part takes."""
        began = time.monotonic()
        yield
        self.seconds[part] = time.monotonic() - began

    @property
    def fallbacks(self) -> int:
        """Requests that needed more than one attempt."""
        return sum(len(record.get("attempts", ())) > 1 for record in self.records.values())


def play(options: DemoOptions) -> Story:
    """Run the whole demo; problems are in the story, a missing part raises StackError."""
    story = Story(time.monotonic() - age_s())
    with story.timed("start"):
        stage = raise_curtain(
            options.folder,
            options.state,
            with_model=options.local_model,
            say=lambda text: OUT.print(f"[dim]{text}[/]"),
        )
    try:
        OUT.print(
            f"[bold]Pointsman is up[/] at {stage.stack.base_url}; every provider is simulated"
        )
        asyncio.run(acts(stage, story, local=options.local_model))
        with story.timed("books"):
            close_the_books(stage, story)
    finally:
        stage.close()
    return story


async def acts(stage: Stage, story: Story, *, local: bool) -> None:
    """All acts on one client, each with its progress."""
    questions = load()
    client = sdk(stage.stack.base_url)
    title = f"Act 1: {len(questions)} recorded questions (about 35 s to the end)"
    with story.timed("act 1"), progress(title, len(questions)) as step:
        first = await traffic.act(client, questions, step)
    story.traffic = traffic.judge(questions, first, stage.upstream, stage.prices)
    if local:
        with story.timed("private"):
            await asyncio.to_thread(stage.wait_local)
            story.private = await private.act(client, show_piece)
    simulator = stage.stack.simulators[PRIMARY]
    title = f"Act 2: {PRIMARY} is killed, and comes back (15 s left)"
    with story.timed("act 2"), progress(title, 3) as step:
        story.failover = await failover.act(
            client, questions, simulator, stage.upstream, stage.served_by(PRIMARY), step
        )
    title = "Act 3: the trial team's budget ends (5 s left)"
    with story.timed("act 3"), progress(title, None) as step:
        for provider in stage.stack.simulators.values():
            await asyncio.to_thread(provider.behave, [{"do": pocket.BRISK}])
        last = await pocket.act(client, questions, step)
    # Last: at that many calls a second decisions are sampled, and all of the acts' shall be kept.
    title = f"Added latency, {latency.PAIRS} pairs (3 s left)"
    with story.timed("latency"), progress(title, latency.WARM_UP + latency.PAIRS) as step:
        story.latency = await asyncio.to_thread(measure, stage, step)
    await client.close()
    story.pocket = pocket.Pocket(tuple(last), 0, 0, 0, None, 0)


def close_the_books(stage: Stage, story: Story) -> None:
    """Let the sidecar drain and report, then hold everything together."""
    if story.traffic is None or story.failover is None or story.pocket is None:
        raise RuntimeError("the acts were not played")
    if stage.stack.sidecar is not None:
        stage.stack.sidecar.stop()
    calls = [*story.private, *story.traffic.calls, *story.failover.calls, *story.pocket.calls]
    story.records = stage.records([call.request_id for call in calls])
    story.pocket = pocket.judge(story.pocket.calls, story.records, stage.tiers)
    with stage.stack.client() as hub:
        story.spend = {by: hub.spend(by) for by in ("model", "provider", "team")}
        story.budgets = hub.budgets()
    simulators = stage.stack.simulators
    story.audit = audit(
        calls=[call for call in calls if call.model not in stage.served_by("self-hosted")],
        records=story.records,
        billed=bills(simulator.bill for simulator in simulators.values()),
        terms={name: terms(model) for name, model in stage.models.items()},
        ledger=sum(r["cost"] for r in story.spend["provider"]["rows"] if r["key"] in simulators),
        unconfirmed=sum(
            row["unconfirmed"] for row in story.budgets if row["account"].startswith(EVERY_CALL)
        ),
    )
    story.problems = [
        *private.problems(story.private),
        *story.traffic.problems,
        *story.failover.problems,
        *story.pocket.problems,
        *story.audit.problems,
    ]


def age_s() -> float:
    """How long this process has run: starting Python counts, too."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def measure(stage: Stage, done: Callable[[], None]) -> latency.Latency:
    """Direct to the primary's simulator, and through the sidecar to the same model."""
    name = min(stage.served_by(PRIMARY))
    provider = stage.stack.simulators[PRIMARY]
    provider.behave([{"do": latency.INSTANT}])
    try:
        return latency.measure(
            provider.base_url, stage.stack.base_url, stage.upstream[name], name, done
        )
    finally:
        provider.behave([])


def show_piece(piece: str) -> None:
    """A piece of a real model's answer, as it comes."""
    OUT.print(piece, end="", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar that moves by one at each call."""
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=OUT) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
