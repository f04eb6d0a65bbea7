"""One request explained on the page: what was asked, weighed and tried, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pointsman_operator.cli.demo.calls import Call
from pointsman_operator.cli.demo.markup import LEFT, RIGHT, WIDTH, Markup, bar, drawing, grid
from pointsman_operator.cli.inspect import milliseconds
from pointsman_operator.cli.output import dollars, micro

ROW = 30
STAGES = ("scan", "choose", "budget", "upstream", "total")
FILTERS = {
    "context": "the prompt does not fit its context",
    "capability": "cannot do what was asked",
    "budget_tier": "a Budget's tier left it out",
    "cooldown": "it failed a moment ago",
    "floor": "below the quality that was asked",
    "saturated": "every endpoint of it is full",
    "cold_start": "its endpoints start or sleep",
    "no_endpoint": "nothing of it runs",
    "state": "what was referred to is kept elsewhere",
}


def explained(calls: Sequence[Call], records: Mapping[str, dict[str, Any]]) -> str:
    """The first of these calls that was chosen by score; empty where none has a record."""
    found = [(call, records[call.request_id]) for call in calls if call.request_id in records]
    scored = [pair for pair in found if any("score" in one for one in weighed(pair[1]))]
    if not found:
        return ""
    call, record = (scored or found)[0]
    return (
        "<h2>One request, explained</h2>"
        f"<p><strong>{escape(record.get('reason', ''))}.</strong></p>"
        + steps(call, record)
        + "<h3>Candidates</h3>"
        + candidates(record)
        + "<h3>Attempts</h3>"
        + attempts(record)
        + "<h3>What it cost</h3>"
        + cost(record)
        + "<details><summary>The whole record</summary>"
        f"<pre>{escape(json.dumps(record, indent=2))}</pre></details>"
    )


def weighed(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The candidates of a record."""
    return list(record.get("candidates", ()))


def steps(call: Call, record: Mapping[str, Any]) -> str:
    """From the question to the answer, a box a step."""
    signals = ", ".join(record.get("signals", ())) or "none"
    open_ones = sum("filtered" not in one for one in weighed(record))
    boxes = [
        ("asked", record.get("requested_model", "-"), call.prompt[:80]),
        ("recognised", f"task {record.get('task', '-')}", f"signals: {signals}"),
        ("rule", record.get("rule") or "-", f"strategy {record.get('strategy') or '-'}"),
        ("candidates", len(weighed(record)), f"{open_ones} not left out"),
        ("chosen", record.get("model", "-"), f"at {record.get('provider', '-')}"),
        ("outcome", f"{record.get('outcome', '-')} {record.get('status', '')}", record.get("id")),
        ("cost", dollars(record.get("cost", 0)), f"reserved {dollars(record.get('reserved', 0))}"),
    ]
    items = "".join(
        f"<li><small>{escape(name)}</small><strong>{escape(str(value))}</strong>"
        f"<small>{escape(str(more))}</small></li>"
        for name, value, more in boxes
    )
    return f'<ol class="steps">{items}</ol>'


def candidates(record: Mapping[str, Any]) -> str:
    """Who could have answered, best score first; the chosen one stands out."""
    rows = sorted(weighed(record), key=lambda one: -one.get("score", -1))
    best = max((one.get("score", 0) for one in rows), default=0) or 1
    names = [one["model"] for one in rows]
    chosen = names.index(record["model"]) if record.get("model") in names else -1
    heads = ("model", ">P(correct)", ">expected cost", ">score", "", "")
    return grid(
        heads,
        [
            (
                one["model"],
                micro(one["probability"]) if "probability" in one else "-",
                dollars(one["cost"]) if "cost" in one else "-",
                micro(one["score"]) if "score" in one else "-",
                bar(one.get("score", 0) / best),
                FILTERS.get(one.get("filtered", ""), one.get("filtered", ""))
                or ("chosen" if number == chosen else ""),
            )
            for number, one in enumerate(rows)
        ],
        chosen,
    )


def attempts(record: Mapping[str, Any]) -> str:
    """What was tried, in order, and on a common axis when."""
    rows = list(record.get("attempts", ()))
    listed = grid(
        ("model", "outcome", ">status", ">sent ms", ">first byte ms", ">end ms"),
        [
            (
                one["model"],
                one.get("class", ""),
                one.get("status", "-"),
                milliseconds(one, "start_us"),
                milliseconds(one, "first_byte_us"),
                milliseconds(one, "end_us"),
            )
            for one in rows
        ],
    )
    end = max((one.get("end_us", 0) for one in rows), default=0)
    if not end:
        return listed
    scale = (WIDTH - LEFT - RIGHT) / end
    return listed + drawing(
        "attempts by time",
        ROW * len(rows) + ROW // 2,
        [lane(one, ROW * number, scale) for number, one in enumerate(rows)],
    )


def lane(one: Mapping[str, Any], top: int, scale: float) -> str:
    """An attempt's bar: light until its first byte, full from there on."""
    start, end = one.get("start_us", 0), one.get("end_us", 0)
    first = one.get("first_byte_us") or end
    spans = ((start, first, ".35"), (first, end, "1"))
    colour = "mark" if one.get("class") == "ok" else "bad"
    return (
        "".join(
            f'<rect x="{LEFT + since * scale:.1f}" y="{top + 14}" height="12" opacity="{shade}" '
            f'width="{(until - since) * scale:.1f}" fill="var(--{colour})"/>'
            for since, until, shade in spans
        )
        + f'<text x="{LEFT}" y="{top + 11}">{escape(one["model"])}</text>'
    )


def cost(record: Mapping[str, Any]) -> str:
    """Tokens times prices, and the microseconds that we took ourselves."""
    usage, prices = record.get("usage", {}), record.get("prices", {})
    cached = usage.get("cached_input", 0)
    lines = [
        ("input", usage.get("input", 0) - cached, prices.get("input", 0)),
        ("cached input", cached, prices.get("cachedInput", prices.get("input", 0))),
        ("output", usage.get("output", 0), prices.get("output", 0)),
    ]
    rows: list[tuple[object, ...]] = [
        (name, f"{count:,}", f"{price:,}", f"{count * price:,}") for name, count, price in lines
    ]
    source = Markup(f"<strong>booked ({escape(str(usage.get('source', '-')))})</strong>")
    rows.append((source, "", "", f"{record.get('cost', 0):,}"))
    times = record.get("stage_us", {})
    stages = ", ".join(f"{name} {times[name]:,} us" for name in STAGES if name in times)
    return (
        grid(("", ">tokens", ">picodollars a token", ">picodollars"), rows)
        + f'<p class="faint">Time in the sidecar: {escape(stages) or "-"}. '
        "<em>upstream</em> is the wait for the first byte.</p>"
    )
