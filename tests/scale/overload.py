"""One sidecar under more than it takes: goodput, the wait of those let in, refusals, memory, ends.

Room for 128 calls (8 MiB told as its memory) before a provider that thinks for half a second: 256
calls a second are its capacity, whatever the machine. First as many callers as there is room for;
then three times its capacity in an open loop for a minute; then 200 live streams at SIGTERM; then
callers that leave.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from scale.leavers import leave
from scale.open_loop import Asked, closed_loop, open_loop
from scale.rows import Row
from scale.size import Size
from scale.watched import allow_files, load
from support.eventually import eventually
from support.line import Line, line
from support.processes import Simulator
from support.tables import model, route, table

NAME, SECONDS = "overload", 150
MEMORY, CALLS, THINKS_MS = 8 << 20, 128, 500
RSS_MIB = 48 + (MEMORY >> 20)
"""An idle sidecar's, and what the calls are reckoned at."""
PEAK_S, OVER_S, TIMES = 15.0, 60.0, 3
STREAMS, LEAVERS = 200, 200
SMALL: dict[str, Any] = {"POINTSMAN_MEMORY_LIMIT_BYTES": str(MEMORY)}
PATIENT: dict[str, Any] = {"POINTSMAN_DRAIN_SECONDS": "60"}


def measure(folder: Path, size: Size) -> list[Row]:
    """The three, each with processes of its own."""
    allow_files()
    with ExitStack() as stack:
        made = stack.enter_context(line(_sub(folder, "over"), "a", build=_table, **SMALL))
        rows = _over(made, size)
    with line(_sub(folder, "drain"), "a", build=_table, **PATIENT) as made:
        rows.append(_drain(made))
    with line(_sub(folder, "leave"), "a", build=_table) as made:
        rows += _leave(made)
    return rows


def _sub(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _table(made: Line) -> dict[str, Any]:
    rules = [{"name": "all", "when": {}, "route": route("a")}]
    return table([model("a", made.url("a"))], rules)


def _over(made: Line, size: Size) -> list[Row]:
    made.script("a", {"delayMs": THINKS_MS})
    asked = Asked(made.sidecar.url)
    peak = asyncio.run(closed_loop(asked, CALLS, PEAK_S * size.share))
    before = made.sidecar.rss_mib()
    rate = TIMES * CALLS * 1000 / THINKS_MS
    over = asyncio.run(open_loop(asked, rate, OVER_S * size.share))
    after = made.sidecar.rss_mib()
    eventually(made.idle, within_s=30)
    told = f"{rate:.0f}/s offered for {OVER_S * size.share:.0f} s; load {load()}"
    alone = f"{CALLS} callers, {PEAK_S * size.share:.0f} s: {peak.goodput:.0f}/s"
    waits = f"{peak.admitted_ms(99):.0f} ms at capacity, {over.admitted_ms(99):.0f} ms now"
    return [
        Row(NAME, "goodput", 100 * over.goodput / peak.goodput, "% of peak", alone, at_least=90),
        Row(NAME, "admitted_p99", over.admitted_ms(99) / peak.admitted_ms(99), "x", waits, 2),
        Row(NAME, "refused_p99", over.refused_ms(99), "ms", told, at_most=10),
        Row(NAME, "refused_p50", over.refused_ms(50), "ms", f"of {len(over.refused)} refusals"),
        Row(NAME, "neither", float(over.other), "answers", "other than 200 and 503", 0, 0),
        Row(NAME, "unsent", float(over.unsent), "calls", "this program had no socket left", 0, 0),
        Row(NAME, "rss", after, "MiB", f"{before:.1f} MiB before the overload", at_most=RSS_MIB),
    ]


def _drain(made: Line) -> Row:
    made.script("a", {"text": "word " * 100, "tokensPerSecond": 25})
    with ThreadPoolExecutor(STREAMS) as pool:
        streams = [pool.submit(made.stream) for _ in range(STREAMS)]
        eventually(lambda: made.providers["a"].stats()["open"] == STREAMS, within_s=30)
        made.sidecar.child.send_signal(signal.SIGTERM)
        seen = [one.result() for one in streams]
    broken = sum(not (one.done and one.text == "word " * 100) for one in seen)
    status = made.sidecar.child.wait(30)
    told = f"of {STREAMS} live at SIGTERM; exit status {status}; load {load()}"
    return Row(NAME, "broken_at_sigterm", broken, "streams", told, at_most=0)


def _more(provider: Simulator, before: int) -> bool:
    return bool(provider.stats()["cancelled"] > before)


def _leave(made: Line) -> list[Row]:
    made.script("a", {"text": "word " * 400, "tokensPerSecond": 50})
    chance = random.Random(14)
    provider = made.providers["a"]
    took, calls = [], []
    for _ in range(LEAVERS):
        before = provider.stats()["cancelled"]
        own = leave(made.sidecar.url, after_s=chance.uniform(0.02, 0.2))
        left_ns = time.time_ns()
        eventually(partial(_more, provider, before))
        took.append((provider.stats()["cancelled_at_ns"][-1] - left_ns) / 1e6)
        calls.append(own)
    took.sort()
    eventually(made.idle)
    records = [made.sidecar.record(own) for own in calls]
    unbooked = sum(it["outcome"] != "cancelled" or not it["cost"] for it in records)
    bill = provider.bill()
    short = sum(it["usage"]["output"] < bill[f"{it['id']}.1"]["output"] for it in records)
    told = f"p50 {took[len(took) // 2]:.1f} ms; {LEAVERS} streams left at random; load {load()}"
    booked = json.dumps({"cancelled and priced": LEAVERS - unbooked, "below the bill": short})
    return [
        Row(NAME, "left_p99", took[int(len(took) * 0.99) - 1], "ms", told, at_most=100),
        Row(NAME, "left_unbooked", unbooked + short, "calls", booked, at_most=0),
    ]
