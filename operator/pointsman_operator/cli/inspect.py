"""`pointsman explain`, `spend` and `budgets`: what was decided, and what it cost."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.output import OUT, JSONFlag, dollars, emit, micro, table
from pointsman_operator.cli.place import Place, at_hub, give_up, reached

MICROSECONDS_A_MILLISECOND = 1000


class Dimension(StrEnum):
    """What spend can be grouped by."""

    MODEL = "model"
    PROVIDER = "provider"
    WORKLOAD = "workload"
    TEAM = "team"
    KEY = "key"
    ENDPOINT = "endpoint"


@at_hub
def explain(
    request_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The answer's x-pointsman-request-id.", show_default=False
        ),
    ],
    place: Place,
    json_output: JSONFlag = False,
) -> None:
    """Say why a request went where it went: signals, candidates, scores, filters, attempts, prices.

    Exit status: 0, 3 for an id that nobody remembers, 69 where no hub answers, 77 without a right.

    Example: pointsman explain pm-01J9ZK3V; in a cluster: pointsman explain --cluster pm-01J9ZK3V
    """
    try:
        with reached(place) as hub:
            record = hub.client.decision(request_id)
    except HubError as error:
        give_up(error)
    if json_output:
        emit(record)
    else:
        show_decision(record)


@at_hub
def spend(
    place: Place,
    by: Annotated[Dimension, typer.Option(help="What to group by.")] = Dimension.MODEL,
    since: Annotated[
        str, typer.Option(help="Only from then on: 2026-11-01T00:00:00Z, or a span back: 90m, 7d.")
    ] = "",
    json_output: JSONFlag = False,
) -> None:
    """Show what was spent, by model, provider, workload, team, key or endpoint.

    A call shows up within half a minute of its end: routers report what they spent that often.
    Input and output tokens stand apart. Unconfirmed, beside the cost, is what a provider may bill
    for attempts that were given up (under `-`: for calls that a crash cut off).
    Exit status: 0, 69 where no hub answers, 77 without a right.

    Example: pointsman spend --by team; in a cluster: pointsman spend --by workload -n shop
    """
    try:
        with reached(place) as hub:
            found = hub.client.spend(by.value, since, hub.namespace)
    except HubError as error:
        give_up(error)
    if json_output:
        emit(found)
        return
    rows = [*found["rows"], {**found["total"], "key": "total"}]
    OUT.print(
        table(
            "",
            (by.value, ">requests", ">input tokens", ">output tokens", ">cost", ">unconfirmed"),
            (
                (
                    row["key"] or "-",
                    f"{row['requests']:,}",
                    f"{row['input_tokens']:,}",
                    f"{row['output_tokens']:,}",
                    dollars(row["cost"]),
                    dollars(row["unconfirmed"]),
                )
                for row in rows
            ),
        )
    )


@at_hub
def budgets(place: Place, json_output: JSONFlag = False) -> None:
    """Show how much of each Budget is used, leased and left, and when it starts anew.

    Exit status: 0, 69 where no hub answers, 77 without a right.

    Example: pointsman budgets; in a cluster: pointsman budgets -n shop
    """
    try:
        with reached(place) as hub:
            found = hub.client.budgets(hub.namespace)
    except HubError as error:
        give_up(error)
    if json_output:
        emit(found)
        return
    money = ("limit", "settled", "unconfirmed", "leased", "available", "overrun")
    OUT.print(
        table(
            "",
            ("account", "window", *(f">{name}" for name in money), "resets"),
            (
                (
                    row["account"],
                    row["window"],
                    *(dollars(row[name]) for name in money),
                    row["resets_at"],
                )
                for row in found
            ),
        )
    )


def show_decision(record: dict[str, Any]) -> None:
    """One decision for people: the sentence first, then what led to it."""
    simulated = "  [yellow]simulated[/]" if record.get("simulated") else ""
    OUT.print(f"[bold]{record['id']}[/]  {record['outcome']} {record['status']}{simulated}")
    OUT.print(f"  {record.get('reason', '')}", highlight=False)
    OUT.print(f"  asked for {record.get('requested_model')}, got {record.get('model')}")
    OUT.print(f"  policy {record.get('policy')}, rule {record.get('rule') or '-'}", highlight=False)
    signals = ", ".join(record.get("signals", ())) or "none"
    OUT.print(f"  signals: {signals}; task: {record.get('task') or '-'}", highlight=False)
    if record.get("candidates"):
        OUT.print(candidates(record["candidates"]))
    if record.get("attempts"):
        OUT.print(attempts(record["attempts"]))
    usage, prices = record.get("usage", {}), record.get("prices", {})
    tokens = ", ".join(f"{name} {count}" for name, count in usage.items())
    each = ", ".join(f"{name} {price}" for name, price in prices.items())
    OUT.print(f"  cost {dollars(record.get('cost', 0))} ({tokens})", highlight=False)
    OUT.print(f"  picodollars a token: {each or '-'}", highlight=False)
    for charge in record.get("budgets", ()):
        OUT.print(f"  charged to {charge['account']}: {dollars(charge['charged'])}")
    stages = ", ".join(f"{name} {value} us" for name, value in record.get("stage_us", {}).items())
    OUT.print(f"  time: {stages or '-'}", highlight=False)


def candidates(rows: list[dict[str, Any]]) -> Any:
    """The candidates as they were weighed."""
    return table(
        "candidates",
        ("model", ">probability", ">expected cost", ">score", "left out"),
        (
            (
                row["model"],
                micro(row["probability"]) if "probability" in row else "-",
                dollars(row["cost"]) if "cost" in row else "-",
                micro(row["score"]) if "score" in row else "-",
                row.get("filtered", ""),
            )
            for row in rows
        ),
    )


def attempts(rows: list[dict[str, Any]]) -> Any:
    """The attempts in the order they were made; times from the request's arrival."""
    return table(
        "attempts",
        ("model", "outcome", ">status", ">first byte ms", ">end ms", "upstream id"),
        (
            (
                f"{row['model']} at {row['endpoint']}" if "endpoint" in row else row["model"],
                f"{row['class']} ({row['why']})" if "why" in row else row.get("class", ""),
                row.get("status", "-"),
                milliseconds(row, "first_byte_us"),
                milliseconds(row, "end_us"),
                row.get("upstream_id", ""),
            )
            for row in rows
        ),
    )


def milliseconds(row: dict[str, Any], name: str) -> str:
    """A time in microseconds as milliseconds; a dash where it did not come to that."""
    value = row.get(name)
    return "-" if value is None else f"{value / MICROSECONDS_A_MILLISECOND:.1f}"
