"""The page's building blocks: its style, its tables, and axes of its plots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 34, 54
COLOURS = ("#2563eb", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d")
STYLE = """
:root { color-scheme: light dark;
  --ink: #1f2937; --paper: #ffffff; --line: #d1d5db; --faint: #6b7280; --soft: #eff6ff;
  --good: #047857; --bad: #b91c1c; --mark: #2563eb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --paper: #111827; --line: #374151; --faint: #9ca3af; --soft: #1e293b;
    --good: #34d399; --bad: #f87171; --mark: #60a5fa; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 860px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; margin-bottom: 1.2rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td { white-space: pre-line; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.chosen td { background: var(--soft); font-weight: 600; }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
svg .tick { fill: var(--faint); font-size: 11px; } svg .grid { stroke: var(--line); }
svg .whisker { stroke-width: 1.5; } svg .leader { stroke: var(--faint); stroke-width: .7; }
svg .outage { fill: var(--bad); opacity: .09; }
.faint { color: var(--faint); font-size: .85rem; }
.ok { color: var(--good); } .bad { color: var(--bad); }
.bar { display: inline-block; height: .6rem; background: var(--mark); border-radius: 2px; }
.steps { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none; }
.steps li { flex: 1 1 7.5rem; border: 1px solid var(--line); border-radius: 8px;
  padding: .45rem .7rem; background: var(--soft); overflow-wrap: anywhere; }
.steps small { display: block; color: var(--faint); }
blockquote { border-left: 3px solid var(--bad); margin-left: 0; padding: .2rem 1rem; }
pre { overflow-x: auto; font-size: .8rem; border: 1px solid var(--line); padding: .8rem; }
"""


def grid(heads: Sequence[str], rows: Iterable[Sequence[object]], chosen: int = -1) -> str:
    """An HTML table; a column whose head begins with `>` is right-aligned, one row stands out.

    A cell of type `Markup` goes in as it is; anything else is escaped.
    """
    kinds = [' class="n"' if head.startswith(">") else "" for head in heads]
    head = "".join(
        f"<th{kind}>{escape(name.lstrip('>'))}</th>"
        for kind, name in zip(kinds, heads, strict=True)
    )
    marks = {chosen: ' class="chosen"'}
    body = "".join(
        f"<tr{marks.get(number, '')}>"
        + "".join(f"<td{k}>{text(cell)}</td>" for k, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(cell: object) -> str:
    """A cell's HTML."""
    return cell if isinstance(cell, Markup) else escape(str(cell))


def bar(share: float) -> Markup:
    """A horizontal bar, `share` of its column's widest."""
    return Markup(f'<span class="bar" style="width:{max(share, 0) * 7:.2f}rem"></span>')


def drawing(label: str, height: int, parts: Iterable[str]) -> str:
    """An SVG as wide as the page."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


def level(y: float, label: str) -> str:
    """A horizontal grid line with what it stands for."""
    return (
        f'<path class="grid" d="M{LEFT} {y:.1f} H{WIDTH - RIGHT}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
        f"{escape(label)}</text>"
    )


def tick(x: float, label: str) -> str:
    """A mark on the horizontal axis."""
    floor = HEIGHT - BOTTOM
    return (
        f'<path class="grid" d="M{x:.1f} {floor} v5"/>'
        f'<text class="tick" x="{x:.1f}" y="{floor + 18}" text-anchor="middle">'
        f"{escape(label)}</text>"
    )
