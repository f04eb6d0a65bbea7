"""The ledger against the bill: what we say a call cost, and what the provider wants for it.

The bill is the simulator's own, in its own process and file; it shares no pricing code with us.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman_operator.cli.demo.calls import Call

DIRECT = "direct-"
"""How calls that go past Pointsman name themselves: nobody should have booked them."""


@dataclass(frozen=True)
class Billed:
    """What one attempt cost by the bill so far; `ended` says that its answer was sent whole."""

    cost: int
    ended: bool


@dataclass(frozen=True)
class Audit:
    """Picodollars, and what does not add up."""

    ended: int
    ended_billed: int
    ended_booked: int
    cut: int
    cut_billed: int
    cut_booked: int
    epsilon: int
    ledger: int
    bill: int
    problems: tuple[str, ...]


def bills(files: Iterable[Path]) -> dict[str, Billed]:
    """The last line of each attempt in all bills, by `<request id>.<attempt>`."""
    found: dict[str, Billed] = {}
    for file in files:
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            if entry["id"].startswith(DIRECT):
                continue
            known = found.get(entry["id"])
            ended = bool(entry.get("end")) or (known is not None and known.ended)
            found[entry["id"]] = Billed(int(entry["cost"]), ended)
    return found


def by_request(billed: Mapping[str, Billed]) -> dict[str, list[Billed]]:
    """All attempts of each request."""
    found: dict[str, list[Billed]] = defaultdict(list)
    for name, bill in billed.items():
        found[name.rpartition(".")[0]].append(bill)
    return found


def audit(
    calls: Sequence[Call],
    records: Mapping[str, dict[str, Any]],
    billed: Mapping[str, Billed],
    ledger: int,
    epsilon_per_cut: int,
) -> Audit:
    """Hold every call's record against the bill, and the ledger's total against the whole bill.

    `epsilon_per_cut` is what one cut stream may be booked above its bill; `ledger` is what the hub
    says was spent at simulated providers, calls that are not listed here included.
    """
    attempts = by_request(billed)
    problems: list[str] = []
    sums: dict[str, int] = defaultdict(int)
    for call in calls:
        record = records.get(call.request_id)
        if record is None:
            problems.append(f"no record of {call.request_id or 'a call without an id'}")
            continue
        known = attempts.get(call.request_id, [])
        bill, booked = sum(one.cost for one in known), int(record["cost"])
        kind = "ended" if all(one.ended for one in known) else "cut"
        sums[kind] += 1
        sums[f"{kind}_billed"] += bill
        sums[f"{kind}_booked"] += booked
        most = bill if kind == "ended" else bill + epsilon_per_cut * len(known)
        if not bill <= booked <= most:
            problems.append(f"{call.request_id} ({kind}): billed {bill}, booked {booked}")
    bill = sum(one.cost for one in billed.values())
    if ledger - bill != sums["cut_booked"] - sums["cut_billed"]:
        problems.append(f"the ledger has {ledger}, the bill {bill}; cut calls do not explain it")
    return Audit(
        ended=sums["ended"],
        ended_billed=sums["ended_billed"],
        ended_booked=sums["ended_booked"],
        cut=sums["cut"],
        cut_billed=sums["cut_billed"],
        cut_booked=sums["cut_booked"],
        epsilon=epsilon_per_cut * sums["cut"],
        ledger=ledger,
        bill=bill,
        problems=tuple(problems),
    )
