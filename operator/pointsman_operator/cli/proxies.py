"""`pointsman proxy-status`: which sidecars there are, what each runs, and what ails it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

import typer
from rich.markup import escape

from pointsman_operator.cli import exits
from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.output import OUT, JSONFlag, emit, table
from pointsman_operator.cli.place import Place, at_hub, give_up, reached

DIGEST_CHARACTERS = 12
"""Of the hexadecimal digits: enough to tell tables apart."""
CLOSED = "Closed"
"""A breaker that lets calls through."""
FINE = "ok"
SPANS = ((86_400, "d"), (3_600, "h"), (60, "m"))


@at_hub
def proxy_status(place: Place, json_output: JSONFlag = False) -> None:
    """List the sidecars: which table each runs, whether it is connected, and what ails it.

    A sidecar is current when the table that it runs is the one that the hub serves it now.
    Exit status: 0 where all are current and connected (also where there is none), 1 otherwise,
    69 where no hub answers, 77 without a right.

    Example: pointsman proxy-status; in a cluster: pointsman proxy-status -n shop
    """
    try:
        with reached(place) as hub:
            found = latest(hub.client.sidecars(hub.namespace))
    except HubError as error:
        give_up(error)
    rows = [row | {"current": is_current(row)} for row in found]
    good = sum(row["current"] and row["connected"] for row in rows)
    if json_output:
        emit({"sidecars": rows, "good": good, "total": len(rows)})
    else:
        show(rows, good, hub.namespace, dt.datetime.now(dt.UTC))
    if good < len(rows):
        raise typer.Exit(exits.REFUSED)


def latest(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a sidecar, by namespace and pod: the start that is connected, else the last heard of.

    A sidecar that was started again is heard of under its earlier start, too.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = chosen.get(row["sidecar"])
        if known is None or _rank(row) >= _rank(known):
            chosen[row["sidecar"]] = row
    return sorted(chosen.values(), key=lambda row: (row.get("namespace", ""), name_of(row)))


def is_current(row: dict[str, Any]) -> bool:
    """Whether it runs what the hub serves it; without a policy there is nothing to run."""
    return bool(row.get("serving")) and row.get("digest") == row["serving"]


def show(rows: list[dict[str, Any]], good: int, namespace: str, now: dt.datetime) -> None:
    """The table, then what ails whom, then the sum."""
    if not rows:
        where = f"in namespace {namespace}" if namespace else "anywhere"
        OUT.print(f"No sidecar {where} has spoken to this hub.", highlight=False)
        OUT.print(
            "A pod without router? docs/operations.md tells how to find out why.", highlight=False
        )
        return
    columns = ("pod", "namespace", "workload", "policy", "table", "connected", ">seen", "version")
    OUT.print(table("", (*columns, "ledger"), (_cells(row, now) for row in rows)))
    for row in rows:
        for trouble in troubles(row, now):
            OUT.print(f"{escape(name_of(row))}: [yellow]{escape(trouble)}[/]", highlight=False)
    OUT.print(f"{good} of {len(rows)} are connected and current.", highlight=False)


def troubles(row: dict[str, Any], now: dt.datetime) -> Iterator[str]:
    """What ails it, a sentence each."""
    if not row.get("serving"):
        yield "no policy serves it: its calls get 503"
    if row.get("waiting"):
        yield f"takes no calls yet: waits for {row['waiting']}"
    rejected = row.get("rejected")
    if rejected:
        yield f"rejects table {short(rejected['digest'])}: {rejected['reason']}"
    ledger = row.get("ledger") or FINE
    if ledger != FINE:
        yield f"ledger: {ledger}"
    yield from _failing(row, now)
    for key, state in sorted(row.get("credentials", {}).items()):
        if state != FINE:
            yield f"key {key}: {state.replace('_', ' ')}"
    if row.get("last_error"):
        yield f"last error: {row['last_error']}"


def _failing(row: dict[str, Any], now: dt.datetime) -> Iterator[str]:
    """What it does not call, by its own word and by that of others."""
    outages = row.get("outages", {})
    for model, state in sorted(row.get("targets", {}).items()):
        if state != CLOSED:
            yield f"breaker of {model}: {state}{_why(outages.get(model), now)}"
    for model in row.get("told_down", ()):
        yield f"tries {model} last: other sidecars find it down"


def _why(outage: dict[str, str] | None, now: dt.datetime) -> str:
    """For which class of error, and for how long; nothing where an older sidecar does not say."""
    return f" for {ago(outage['since'], now)} ({outage['class']})" if outage else ""


def name_of(row: dict[str, Any]) -> str:
    """The pod; outside a cluster the sidecar's own name."""
    return str(row.get("pod") or row["sidecar"])


def short(digest: str) -> str:
    """The beginning of a digest; a dash for none."""
    return digest.removeprefix("sha256:")[:DIGEST_CHARACTERS] or "-"


def ago(moment: str, now: dt.datetime) -> str:
    """How long that moment (RFC 3339) is past, in its largest unit."""
    seconds = max(0, int((now - dt.datetime.fromisoformat(moment)).total_seconds()))
    for span, unit in SPANS:
        if seconds >= span:
            return f"{seconds // span}{unit}"
    return f"{seconds}s"


def _cells(row: dict[str, Any], now: dt.datetime) -> tuple[str, ...]:
    ledger = row.get("ledger") or "-"
    table_mark = "" if row["current"] else " (not current)"
    return (
        escape(name_of(row)),
        row.get("namespace") or "-",
        escape(row.get("workload") or "-"),
        row.get("policy") or "-",
        short(row.get("digest", "")) + table_mark,
        "yes" if row["connected"] else "no",
        ago(row["seen_at"], now),
        escape(row.get("version") or "-"),
        ledger if ledger in {"-", FINE} else "see below",
    )


def _rank(row: dict[str, Any]) -> tuple[bool, str]:
    return (bool(row["connected"]), str(row["seen_at"]))
