"""Keys as `pointsman keys list` shows them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rich.markup import escape

from pointsman_operator.cli.keys.entry import Entry
from pointsman_operator.cli.keys.last_use import Uses
from pointsman_operator.cli.keys.lasting import ahead
from pointsman_operator.cli.output import OUT, dollars, table
from pointsman_operator.cli.proxies import ago

COLUMNS = ("id", "name", "state", ">age", ">expires", "team", "models", "limits", ">last use")


def show(known: list[Entry], faults: dict[str, str], used: Uses, now: dt.datetime) -> None:
    """For people."""
    if not known and not faults:
        OUT.print("No keys here: pointsman keys create NAME", highlight=False)
        return
    rows = [_cells(entry, used, now) for entry in known]
    OUT.print(table("", (*COLUMNS, ">requests", ">cost"), rows))
    for name, fault in faults.items():
        OUT.print(f"[yellow]{escape(name)} is not used: {escape(fault)}[/]", highlight=False)
    if used.trouble:
        OUT.print(f"Use is not known: {escape(used.trouble)}", highlight=False, soft_wrap=True)


def document(
    known: list[Entry], faults: dict[str, str], used: Uses, now: dt.datetime
) -> dict[str, Any]:
    """For programs: the entries without hashes, with their state and use."""
    keys = [
        entry.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"hash"})
        | {"state": entry.state(now)}
        | ({"lastUse": used.last[entry.name].isoformat()} if entry.name in used.last else {})
        for entry in known
    ]
    return {"keys": keys, "refused": faults, "useUnknown": used.trouble}


def _cells(entry: Entry, used: Uses, now: dt.datetime) -> tuple[str, ...]:
    last, cost = used.last.get(entry.name), used.cost.get(entry.name)
    return (
        entry.id,
        escape(entry.name),
        entry.state(now),
        ago(entry.created.isoformat(), now),
        "never" if entry.expires is None else _expiry(entry.expires, now),
        escape(entry.team or "-"),
        escape(" ".join(entry.models)) if entry.models else "all",
        _limits(entry),
        "-" if last is None else f"{ago(last.isoformat(), now)} ago",
        str(used.requests.get(entry.name, "-")),
        "-" if cost is None else dollars(cost),
    )


def _expiry(expires: dt.datetime, now: dt.datetime) -> str:
    return f"in {ahead(expires, now)}" if expires > now else f"{ago(expires.isoformat(), now)} ago"


def _limits(entry: Entry) -> str:
    said = []
    if entry.requests_per_minute is not None:
        said.append(f"{entry.requests_per_minute}/min")
    if entry.max_in_flight is not None:
        said.append(f"{entry.max_in_flight} at once")
    return ", ".join(said) or "-"
