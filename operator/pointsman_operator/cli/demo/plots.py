"""The page's two plots: cost against quality, and the failover second by second."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle

from pointsman_operator.cli.demo import failover
from pointsman_operator.cli.demo.markup import (
    BOTTOM,
    COLOURS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    drawing,
    level,
    tick,
)
from pointsman_operator.demo_data.scoring import Interval, Line, Outcome, mean_correct, mean_cost

THOUSAND_CALLS = 1000 / 1e12
POLICIES = {
    "Pointsman": COLOURS[0],
    "zero router (random mix at equal cost)": COLOURS[2],
}
ALONE = "#9ca3af"
BAD = {"cut": "#dc2626", "failed": "#7f1d1d"}
LABEL_HEIGHT = 15
LETTER, BOLD = 6.6, 7.8
DECADE = (1, 2, 5)
STEPS = (1, 2, 5, 10, 20, 50, 100)
FLOOR = HEIGHT - BOTTOM
Scale = Callable[[float], float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A dot: dollars per 1,000 calls and per cent correct, with intervals where there are some."""

    name: str
    cost: float
    percent: float
    colour: str
    cost_interval: Interval | None = None
    percent_interval: Interval | None = None


def quality(singles: Mapping[str, Sequence[Outcome]], lines: Sequence[Line]) -> str:
    """Cost against quality: each model alone, and the policies of the closing table."""
    points = [
        Point(name.rpartition("/")[2], mean_cost(rows) * THOUSAND_CALLS, mean_correct(rows) * 100,
              ALONE)
        for name, rows in singles.items()
    ] + [
        Point(line.name.partition(" (")[0], line.cost.mean * THOUSAND_CALLS, line.percent.mean,
              POLICIES[line.name], line.cost, line.percent)
        for line in lines
        if line.name in POLICIES
    ]  # fmt: skip
    low, high = (f(p.cost for p in points) for f in (min, max))
    left, right = math.log10(low / 1.5), math.log10(high * 2)
    bottom = math.floor(min(p.percent for p in points) / 10 - 0.3) * 10

    def across(cost: float) -> float:
        return LEFT + (math.log10(cost) - left) / (right - left) * (WIDTH - LEFT - RIGHT)

    def up(percent: float) -> float:
        return FLOOR - (percent - bottom) / (100 - bottom) * (FLOOR - TOP)

    parts = [level(up(each), f"{each} %") for each in range(bottom, 101, 10)]
    parts += [tick(across(cost), f"${cost:g}") for cost in decades(left, right)]
    parts += [whiskers(point, across, up) for point in points if point.cost_interval]
    parts += labelled([(across(p.cost), up(p.percent), p) for p in points])
    parts.append(
        f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">'
        "$ per 1,000 calls, logarithmic</text>"
        f'<text class="tick" x="{LEFT}" y="{TOP - 14}">% correct; bars: 95 % intervals</text>'
    )
    return "<h2>Cost against quality</h2>" + drawing("cost against quality", HEIGHT, parts)


def decades(left: float, right: float) -> list[float]:
    """Round costs between two powers of ten."""
    powers = range(math.floor(left), math.ceil(right) + 1)
    rounds = [round(10.0**power * step, 9) for power in powers for step in DECADE]
    return [cost for cost in rounds if left <= math.log10(cost) <= right]


def whiskers(point: Point, across: Scale, up: Scale) -> str:
    """The intervals of a policy, as a cross."""
    if point.cost_interval is None or point.percent_interval is None:
        return ""
    x, y = across(point.cost), up(point.percent)
    sides = [
        across(c * THOUSAND_CALLS) for c in (point.cost_interval.low, point.cost_interval.high)
    ]
    ends = [up(p) for p in (point.percent_interval.low, point.percent_interval.high)]
    return (
        f'<path class="whisker" stroke="{point.colour}" fill="none" '
        f'd="M{sides[0]:.1f} {y:.1f} H{sides[1]:.1f} M{x:.1f} {ends[0]:.1f} V{ends[1]:.1f}"/>'
    )


def labelled(dots: Sequence[tuple[float, float, Point]]) -> list[str]:
    """Dots with their names beside them; a name that would cover another one moves away."""
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y, _ in dots]
    parts = []
    for x, y, point in sorted(dots, key=lambda dot: dot[2].colour == ALONE):
        wide = len(point.name) * (LETTER if point.colour == ALONE else BOLD)
        choices = places(x, y, wide)
        box = next((box for box in choices if free(box, taken)), choices[-1])
        taken.append(box)
        if abs(box[1] + LABEL_HEIGHT / 2 - y) > LABEL_HEIGHT:
            edge = box[0] if box[0] > x else box[2]
            parts.append(
                f'<path class="leader" d="M{x:.1f} {y:.1f} L{edge:.1f} '
                f'{box[1] + LABEL_HEIGHT / 2:.1f}"/>'
            )
        bold = "" if point.colour == ALONE else ' font-weight="700"'
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{point.colour}"/>'
            f'<text x="{box[0]:.1f}" y="{box[3] - 3:.1f}"{bold}>{escape(point.name)}</text>'
        )
    return parts


def places(x: float, y: float, wide: float) -> list[Box]:
    """Where a dot's name may stand, nearest first."""
    tops = [y - LABEL_HEIGHT * (0.5 + way * step * 0.7) for step in range(14) for way in (-1, 1)]
    found = [
        (start, top, start + wide, top + LABEL_HEIGHT)
        for top in tops
        for start in (x + 11, x - 11 - wide)
        if start > LEFT and start + wide < WIDTH - 2 and TOP - 8 < top < FLOOR - LABEL_HEIGHT
    ]
    return found or [(LEFT, TOP, LEFT + wide, TOP + LABEL_HEIGHT)]


def free(box: Box, taken: Sequence[Box]) -> bool:
    """Whether a box covers none of these."""
    return all(
        box[2] <= other[0] or box[0] >= other[2] or box[3] <= other[1] or box[1] >= other[3]
        for other in taken
    )


def timeline(act: failover.Failover) -> str:
    """Ends of calls since the kill, stacked by who answered; the outage is shaded."""
    counts = failover.timeline(act)
    slots = sorted({slot for counter in counts.values() for slot in counter})
    if not slots:
        return ""
    highest = max(sum(counter[slot] for counter in counts.values()) for slot in slots)
    names = sorted(counts, key=lambda name: (name in BAD, name))
    colours = cycle(COLOURS)
    fill = {name: BAD.get(name) or next(colours) for name in names}
    first, last = slots[0], slots[-1] + 1
    wide = (WIDTH - LEFT - RIGHT) / (last - first)

    def across(seconds: float) -> float:
        return LEFT + (seconds / failover.SLOT_S - first) * wide

    back = act.restarted_s - act.killed_s
    width = across(back) - across(0)
    shade = f'x="{across(0):.1f}" y="{TOP}" width="{width:.1f}" height="{FLOOR - TOP}"'
    parts = [f'<rect class="outage" {shade}/>']
    step = next((one for one in STEPS if highest / one <= 6), highest)  # noqa: PLR2004
    parts += [
        level(FLOOR - number / highest * (FLOOR - TOP), str(number))
        for number in range(0, highest + 1, step)
    ]
    for slot in slots:
        top = float(FLOOR)
        for name in names:
            tall = counts[name][slot] / highest * (FLOOR - TOP)
            top -= tall
            parts.append(
                f'<rect x="{across(slot * failover.SLOT_S) + 1:.1f}" y="{top:.1f}" '
                f'width="{wide * 0.86:.1f}" height="{tall:.1f}" fill="{fill[name]}"/>'
                if tall
                else ""
            )
    seconds = range(math.ceil(first * failover.SLOT_S), math.floor(last * failover.SLOT_S) + 1)
    parts += [tick(across(second), f"{second} s") for second in seconds]
    parts += [
        f'<text x="{across(0) + 4:.1f}" y="{TOP - 10}">killed</text>',
        f'<text x="{across(back):.1f}" y="{TOP - 10}" text-anchor="end">started again</text>',
    ]
    legend = " &nbsp; ".join(
        f'<span style="color:{fill[name]}">&#9632;</span> {escape(name)}' for name in names
    )
    return (
        drawing("answers by time since the kill", HEIGHT, parts)
        + f'<p class="faint">Calls that ended, each half second since the kill: {legend}</p>'
    )
