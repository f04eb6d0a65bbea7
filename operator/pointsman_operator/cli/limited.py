"""`pointsman limits`: what providers allow, who has it, and who waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.output import OUT, JSONFlag, emit, table
from pointsman_operator.cli.place import Place, at_hub, give_up, reached
from pointsman_operator.cli.proxies import ago

KINDS = {
    "requests": "requests a minute",
    "tokens": "tokens a minute",
    "inFlight": "calls at once",
}
PERCENT = 100
RoutersFlag = Annotated[bool, typer.Option("--routers", help="Who holds and who waits, too.")]


@at_hub
def limits(place: Place, routers: RoutersFlag = False, json_output: JSONFlag = False) -> None:
    """Show how much of each model's limits is handed out, used and free, and what waits for it.

    Used is what routers used of it within the last minute, as each said last: every second while
    it is asked. Resting is what a lost router held: it may have used it a moment ago. Waited and
    refused count calls since the hub has known their routers.
    Exit status: 0, 69 where no hub answers, 77 without a right.

    Example: pointsman limits --routers; in a cluster: pointsman limits -n ai-platform
    """
    try:
        with reached(place) as hub:
            found = hub.client.limits(hub.namespace, routers=routers)
    except HubError as error:
        give_up(error)
    if json_output:
        emit(found)
    else:
        show(found, hub.namespace, dt.datetime.now(dt.UTC))


def show(rows: list[dict[str, Any]], namespace: str, now: dt.datetime) -> None:
    """The table, then which limits hold calls up, then who holds them."""
    if not rows:
        where = f"of namespace {namespace}" if namespace else "of any pool"
        OUT.print(f"No table limits a model {where} (ModelPool, models[].limits).", highlight=False)
        return
    columns = (">allowed", ">handed out", ">used", ">resting", ">free", ">routers")
    calls = (">waiting", ">waited", ">refused")
    OUT.print(table("", ("model", "limit", *columns, *calls), map(_cells, rows)))
    for row in rows:
        for trouble in troubles(row, now):
            name = f"{row['limit']}, {KINDS[row['unit']]}"
            OUT.print(f"{escape(name)}: [yellow]{escape(trouble)}[/]", highlight=False)
    for row in rows:
        if row.get("routers"):
            OUT.print("")
            OUT.print(_routers(row))


def troubles(row: dict[str, Any], now: dt.datetime) -> Iterator[str]:
    """What holds calls up, a sentence each."""
    if "refusing_since" in row:
        yield f"has refused calls for {ago(row['refusing_since'], now)}"
    if "near_since" in row:
        used = row["used"] * PERCENT // row["total"]
        yield f"nearly used up for {ago(row['near_since'], now)} (now {used} %)"
    if row["lacking"]:
        yield f"{row['lacking']} of {row['holders']} routers can serve no call with their share"
    if row["free"] < 0:
        yield f"was lowered: {-row['free']} more are handed out than there are"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    names = ("total", "held", "used", "resting", "free", "holders", "waiting", "waited", "refused")
    counts = (f"{row[name]:,}" for name in names)
    return (escape(row["limit"]), KINDS[row["unit"]], *counts)


def _routers(row: dict[str, Any]) -> Any:
    shown = row["routers"]
    left_out = row["holders"] - len(shown)
    more = f" (and {left_out} that hold less)" if left_out > 0 else ""
    return table(
        f"{escape(row['limit'])}, {KINDS[row['unit']]}{more}",
        ("router", ">holds", ">used", ">wants", ">waiting", "share"),
        (
            (
                escape(it["pod"] or it["sidecar"]),
                *(f"{it[name]:,}" for name in ("held", "used", "wanted", "waiting")),
                "too small for a call" if it["lacks"] else "enough",
            )
            for it in shown
        ),
    )
