"""`build/demo.html`: one self-contained page with what the demo showed; no script, no address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from pointsman_operator.cli.demo import failover
from pointsman_operator.cli.demo.closing import FOOTER, against, interval
from pointsman_operator.cli.demo.story import Story
from pointsman_operator.cli.output import dollars
from pointsman_operator.demo_data.scoring import Line, Outcome, mean_correct, mean_cost

WIDTH, HEIGHT, MARGIN = 720, 380, 60
THOUSAND_CALLS = 1000 / 1e12
COLOURS = ("#2563eb", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d")
BAD = {"cut": "#dc2626", "failed": "#7f1d1d"}
STYLE = """
:root { color-scheme: light dark;
  --ink: #1f2937; --paper: #ffffff; --line: #d1d5db; --faint: #6b7280; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --paper: #111827; --line: #374151; --faint: #9ca3af; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 820px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
svg .axis { stroke: var(--line); } .faint { color: var(--faint); font-size: .85rem; }
pre { overflow-x: auto; font-size: .8rem; border: 1px solid var(--line); padding: .8rem; }
.ok { color: #059669; } .bad { color: #dc2626; }
"""


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
        parts += [quality(story.traffic.singles, story.traffic.lines), closing(story.traffic.lines)]
    if story.failover is not None:
        parts.append(failover_timeline(story.failover))
    parts += [money(story), explained(story)]
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


def quality(singles: Mapping[str, Sequence[Outcome]], lines: Sequence[Line]) -> str:
    """Cost against quality: each model alone, and the policies of the closing table."""
    points = {
        name: (mean_cost(rows) * THOUSAND_CALLS, mean_correct(rows) * 100, "#9ca3af")
        for name, rows in singles.items()
    }
    for line in lines:
        if line.name in {"Pointsman", "zero router (random mix at equal cost)"}:
            colour = COLOURS[0] if line.correct_difference is None else COLOURS[2]
            cost = line.cost.mean * THOUSAND_CALLS
            points[line.name.partition(" (")[0]] = (cost, line.percent.mean, colour)
    most = max(cost for cost, _, _ in points.values()) * 1.08
    least = min(percent for _, percent, _ in points.values()) - 4
    dots = []
    for name, (cost, percent, colour) in points.items():
        x = MARGIN + cost / most * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - (percent - least) / (100 - least) * (HEIGHT - 2 * MARGIN)
        anchor = "end" if x > WIDTH * 0.7 else "start"
        shift = -9 if anchor == "end" else 9
        dots.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
            f'<text x="{x + shift:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">'
            f"{escape(name)}</text>"
        )
    floor, right = HEIGHT - MARGIN, WIDTH - MARGIN
    return (
        "<h2>Cost against quality</h2>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="cost against quality">'
        f'<path class="axis" fill="none" d="M{MARGIN} {MARGIN} V{floor} H{right}"/>'
        f'<text x="{WIDTH // 2}" y="{HEIGHT - 15}" text-anchor="middle">'
        f"$ per 1,000 calls (0 to {most:.2f})</text>"
        f'<text x="{MARGIN}" y="{MARGIN - 15}">% correct ({least:.0f} to 100)</text>'
        + "".join(dots)
        + "</svg>"
    )


def closing(lines: Sequence[Line]) -> str:
    """The closing table."""
    rows = [
        (
            line.name,
            interval(line.percent, 1),
            interval(line.cost, 3, THOUSAND_CALLS),
            against(line),
            line.policy,
        )
        for line in lines
    ]
    heads = ("", "% correct", "$ per 1,000 calls", "Pointsman against it", "by")
    return "<h2>Act 1: normal traffic</h2>" + grid(heads, rows)


def failover_timeline(act: failover.Failover) -> str:
    """Ends of calls by second since the kill, stacked by who answered."""
    counts = failover.timeline(act)
    seconds = sorted({second for counter in counts.values() for second in counter})
    if not seconds:
        return ""
    highest = max(sum(counter[s] for counter in counts.values()) for s in seconds)
    names = sorted(counts, key=lambda name: (name in BAD, name))
    fill = {n: BAD.get(n, COLOURS[i % len(COLOURS)]) for i, n in enumerate(names)}
    width = (WIDTH - 2 * MARGIN) / (seconds[-1] - seconds[0] + 1)
    bars = []
    for second in seconds:
        top = float(HEIGHT - MARGIN)
        for name in names:
            tall = counts[name][second] / highest * (HEIGHT - 2 * MARGIN)
            top -= tall
            x = MARGIN + (second - seconds[0]) * width
            bars.append(
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{width * 0.85:.1f}" height="{tall:.1f}" '
                f'fill="{fill[name]}"/>'
            )
    marks = [
        f'<text x="{MARGIN + (at - seconds[0]) * width:.1f}" y="{HEIGHT - 35}">{text}</text>'
        for at, text in ((0, "killed"), (round(act.restarted_s - act.killed_s), "restarted"))
    ]
    legend = " ".join(f'<span style="color:{fill[n]}">&#9632;</span> {escape(n)}' for n in names)
    switched = "never" if act.switched_after_s is None else f"{act.switched_after_s * 1000:.0f} ms"
    back = "never" if act.back_after_s is None else f"{act.back_after_s:.1f} s"
    return (
        "<h2>Act 2: the primary provider is killed</h2>"
        f"<p>{act.cut} streams were cut and raised the SDK's error; "
        f"{act.failed_before_answer} calls failed that had not begun to answer. Switched after "
        f"{switched}; back {back} after the recovery.</p>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="answers a second">'
        + "".join(bars + marks)
        + f"</svg><p>Calls that ended, by second: {legend}</p>"
    )


def money(story: Story) -> str:
    """Spend by dimension, the budget's end, and the books."""
    parts = ["<h2>Money</h2>"]
    for by, found in story.spend.items():
        rows = [
            (row["key"] or "-", row["requests"], row["input_tokens"], row["output_tokens"],
             dollars(row["cost"]))
            for row in found["rows"]
        ]  # fmt: skip
        parts.append(grid((by, "requests", "input tokens", "output tokens", "cost"), rows))
    if story.pocket is not None:
        parts.append(f"<h2>Act 3: a Budget ends</h2><pre>{escape(story.pocket.message)}</pre>")
    if story.audit is not None:
        books = story.audit
        totals = [
            ("calls that ended", books.ended.calls, books.ended.billed, books.ended.booked),
            ("cut calls", books.cut.calls, books.cut.billed, books.cut.booked),
        ]
        parts.append("<h2>The books, in picodollars</h2>")
        parts.append(grid(("", "calls", "billed by the simulator", "booked by Pointsman"), totals))
    return "".join(parts)


def explained(story: Story) -> str:
    """One streamed request of act 1, as `pointsman explain` has it."""
    calls = story.traffic.calls if story.traffic is not None else ()
    record: dict[str, Any] | None = next(
        (story.records[c.request_id] for c in calls if c.request_id in story.records), None
    )
    if record is None:
        return ""
    return f"<h2>One request, explained</h2><pre>{escape(json.dumps(record, indent=2))}</pre>"


def grid(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """An HTML table."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
