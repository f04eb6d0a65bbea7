"""What the demo prints at the end: the table, the money, the acts, and the next three commands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.markup import escape

from pointsman_operator.cli.demo.audit import Audit
from pointsman_operator.cli.demo.failover import Failover
from pointsman_operator.cli.demo.pocket import BUDGET, Pocket
from pointsman_operator.cli.demo.story import Story
from pointsman_operator.cli.output import OUT, dollars, table
from pointsman_operator.demo_data.scoring import Interval, Line

FOOTER = (
    "Recorded exam questions (GSM8K, CRUXEval, MATH) and models of 2024; answers are replayed, so "
    "the table is arithmetic on what these models really answered. None of these questions was "
    "used to fit anything that Pointsman ships."
)
THOUSAND = 1000
COMPARED = (
    "",
    ">% correct",
    ">$ per 1,000 calls",
    "Pointsman's % against it",
    "Pointsman's $ against it",
    "by",
)
"""Columns of the closing table."""


def show(story: Story, page: Path) -> None:
    """Print everything."""
    if story.traffic is not None and story.traffic.lines:
        OUT.print()
        OUT.print(closing(story.traffic.lines))
        OUT.print(f"[dim]{FOOTER}[/]")
    for by, found in story.spend.items():
        OUT.print()
        OUT.print(spend(by, found))
    OUT.print()
    OUT.print(f"fallbacks: {story.fallbacks} requests needed a second attempt")
    if story.latency is not None:
        added = ", ".join(f"{name} {value:+.0f} us" for name, value in story.latency.added.items())
        OUT.print(f"added latency, through minus direct: {added}", highlight=False)
    if story.failover is not None:
        show_failover(story.failover)
    if story.pocket is not None:
        show_pocket(story.pocket, story.budgets)
    if story.audit is not None:
        OUT.print()
        OUT.print(table("The books, in picodollars", BOOKED, books(story.audit)))
    show_verdict(story, page)


def closing(lines: tuple[Line, ...]) -> Any:
    """Correctness and cost of each policy, with paired intervals."""
    return table(
        "Act 1, as recorded",
        COMPARED,
        (
            (
                f"[bold]{line.name}[/]" if line.correct_difference is None else line.name,
                *compared(line)[1:],
            )
            for line in lines
        ),
    )


def compared(line: Line) -> tuple[str, ...]:
    """A policy's cells under `COMPARED`, for the terminal and for the page."""
    return (
        line.name,
        interval(line.percent, 1),
        interval(line.cost, 3, THOUSAND / 1e12),
        in_words(line.verdict, line.correct_difference, 1),
        in_words(line.cost_verdict, line.cost_difference, 3, THOUSAND / 1e12),
        line.policy,
    )


def in_words(verdict: str, difference: Interval | None, digits: int, scale: float = 1.0) -> str:
    """What a paired difference shows, and below it the difference with its interval."""
    if difference is None:
        return ""
    return f"{verdict}\n{interval(difference, digits, scale, sign='+')}"


def interval(value: Interval, digits: int, scale: float = 1.0, sign: str = "") -> str:
    """A mean with its interval."""
    shown = [f"{scale * each:{sign}.{digits}f}" for each in (value.mean, value.low, value.high)]
    return f"{shown[0]} [{shown[1]},\N{NO-BREAK SPACE}{shown[2]}]"


def spend(by: str, found: dict[str, Any]) -> Any:
    """The ledger's rows of one dimension."""
    return table(
        f"Spent, by {by}",
        (by, ">requests", ">input tokens", ">output tokens", ">cost"),
        (
            (
                row["key"] or "-",
                f"{row['requests']:,}",
                f"{row['input_tokens']:,}",
                f"{row['output_tokens']:,}",
                dollars(row["cost"]),
            )
            for row in found["rows"]
        ),
    )


def show_failover(act: Failover) -> None:
    """Act 2 in two lines."""
    switched = "never" if act.switched_after_s is None else f"{act.switched_after_s * 1000:.0f} ms"
    back = "never" if act.back_after_s is None else f"{act.back_after_s:.1f} s"
    OUT.print(
        f"failover: {act.in_mid_answer} streams were in mid-answer when the provider died; "
        f"{act.cut} raised the SDK's error, {act.ended_whole} had all been sent, "
        f"{act.failed_before_answer} calls failed that had not begun to answer",
        highlight=False,
    )
    OUT.print(f"  switched after {switched}, back {back} after the recovery", highlight=False)


def show_pocket(act: Pocket, budgets: list[dict[str, Any]]) -> None:
    """Act 3: counts, the account, and the error as the caller reads it."""
    OUT.print(
        f"budget {BUDGET}: {act.before} calls as usual, {act.downgraded} on cheap models, then:",
        highlight=False,
    )
    if act.not_leased:
        OUT.print(f"  ({act.not_leased} refused meanwhile: the ledger did not answer in time)")
    OUT.print(f"  [red]{type(act.refusal).__name__}[/]: {escape(act.message)}", highlight=False)
    for row in budgets:
        if row["account"].startswith(f"{BUDGET}/"):
            used = dollars(row["settled"] + row["unconfirmed"])
            OUT.print(
                f"  used {used} of {dollars(row['limit'])}, overrun {dollars(row['overrun'])}"
            )


BOOKED = ("", ">calls", ">billed by the simulators", ">booked by Pointsman", "held to")
"""Columns of the audit."""


def books(found: Audit) -> list[tuple[object, ...]]:
    """The ledger beside the simulators' bill, for the terminal and for the page."""
    ended, cut, given_up = found.ended, found.cut, found.abandoned
    above = found.ledger_of_cut - cut.billed
    return [
        ("calls that ended", ended.calls, *figures(ended.billed, ended.booked), "equal"),
        (
            "cut calls",
            cut.calls,
            *figures(cut.billed, found.ledger_of_cut),
            f"{above:,} above the bill; published epsilon {cut.epsilon:,}",
        ),
        (
            "attempts given up",
            given_up.calls,
            *figures(given_up.billed, found.unconfirmed),
            "at least billed; held back as unconfirmed",
        ),
        ("in all", "", *figures(found.bill, found.ledger), "latency pairs included"),
    ]


def figures(*amounts: int) -> tuple[str, ...]:
    """Picodollars with separators."""
    return tuple(f"{amount:,}" for amount in amounts)


def show_verdict(story: Story, page: Path) -> None:
    """Whether everything held, how long it took, and what to do next."""
    took = time.monotonic() - story.started_s
    OUT.print()
    if story.first_answer_s is not None:
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in story.seconds.items())
        OUT.print(
            f"first routed answer {story.first_answer_s:.1f} s after the start; {parts}",
            highlight=False,
        )
    if story.problems:
        OUT.print(f"[bold red]{len(story.problems)} things did not hold[/] ({took:.0f} s):")
        for problem in story.problems[:20]:
            OUT.print(f"  - {escape(problem)}", highlight=False)
    else:
        OUT.print(f"[bold green]Acts and arithmetic held[/] ({took:.0f} s). The page: {page}")
    OUT.print("Next:")
    OUT.print("  pointsman up -f examples/demo        # the same, for as long as you like")
    OUT.print("  pointsman compile examples/demo      # what a sidecar runs")
    OUT.print("  pointsman spend --by team            # while `up` runs, in a second terminal")
