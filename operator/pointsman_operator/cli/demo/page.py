"""`build/demo.html`: one self-contained page with what the demo showed; no script, no address."""

from __future__ import annotations

from html import escape
from pathlib import Path

from pointsman_operator.cli.demo import failover, plots
from pointsman_operator.cli.demo.closing import BOOKED, COMPARED, FOOTER, books, compared
from pointsman_operator.cli.demo.explained import explained
from pointsman_operator.cli.demo.markup import STYLE, grid
from pointsman_operator.cli.demo.story import Story
from pointsman_operator.cli.output import dollars


def write(story: Story, path: Path) -> None:
    """Write the page, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(page(story), encoding="utf-8")
    draft.replace(path)


def page(story: Story) -> str:
    """The document."""
    parts = [verdict(story)]
    if story.traffic is not None and story.traffic.lines:
        lines = story.traffic.lines
        parts += [
            plots.quality(story.traffic.singles, lines),
            "<h2>Act 1: normal traffic</h2>",
            grid(COMPARED, [compared(line) for line in lines], chosen=len(lines) - 1),
        ]
    if story.failover is not None:
        parts.append(death(story.failover))
    if story.pocket is not None:
        parts.append(
            f"<h2>Act 3: a Budget ends</h2><p>{story.pocket.before} calls as usual, "
            f"{story.pocket.downgraded} on cheap models, then the SDK raised:</p>"
            f"<blockquote>{escape(story.pocket.message)}</blockquote>"
        )
    parts.append(money(story))
    if story.traffic is not None:
        parts.append(explained(story.traffic.calls, story.records))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Pointsman demo</title><style>{STYLE}</style></head><body>"
        + "\n".join(parts)
        + f'<p class="faint">{escape(FOOTER)} Every provider on this page was simulated.</p>'
        "</body></html>\n"
    )


def verdict(story: Story) -> str:
    """Whether everything held."""
    if not story.problems:
        return '<h1>Pointsman demo</h1><p class="ok">Acts and arithmetic held.</p>'
    items = "".join(f"<li>{escape(problem)}</li>" for problem in story.problems)
    return f'<h1>Pointsman demo</h1><p class="bad">Did not hold:</p><ul>{items}</ul>'


def death(act: failover.Failover) -> str:
    """Act 2 in words, and second by second."""
    switched = "never" if act.switched_after_s is None else f"{act.switched_after_s * 1000:.0f} ms"
    back = "never" if act.back_after_s is None else f"{act.back_after_s:.1f} s"
    return (
        "<h2>Act 2: the primary provider is killed</h2>"
        f"<p>{act.cut} streams were cut and raised the SDK's error; "
        f"{act.failed_before_answer} calls failed that had not begun to answer. Switched after "
        f"{switched}; back {back} after the recovery.</p>" + plots.timeline(act)
    )


def money(story: Story) -> str:
    """Spend by dimension, and the books."""
    parts = ["<h2>Money</h2>"]
    for by, found in story.spend.items():
        rows = [
            (row["key"] or "-", f"{row['requests']:,}", f"{row['input_tokens']:,}",
             f"{row['output_tokens']:,}", dollars(row["cost"]))
            for row in found["rows"]
        ]  # fmt: skip
        parts.append(grid((by, ">requests", ">input tokens", ">output tokens", ">cost"), rows))
    if story.audit is not None:
        parts.append("<h2>The books, in picodollars</h2>")
        parts.append(grid(BOOKED, books(story.audit)))
    return "".join(parts)
