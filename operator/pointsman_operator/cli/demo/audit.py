"""The ledger against the bill: what we say a call cost, and what the provider wants for it.

The bill is the simulator's own, in its own process and file; it shares no pricing code with us. A
call that ended is booked as billed, to the picodollar. A cut call is booked at the most that it can
have cost, which exceeds its bill by at most the published epsilon (`epsilon`). An attempt that was
given up before it answered is kept as *unconfirmed* on every account, at the most that it can have
cost.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman_operator.cli.demo.calls import Call
from pointsman_operator.cli.demo.epsilon import Terms, epsilon

DIRECT = "direct-"
"""How calls that go past Pointsman name themselves: nobody should have booked them."""


@dataclass(frozen=True)
class Billed:
    """What one attempt cost by the bill so far; `ended` says that its answer was sent whole."""

    cost: int
    ended: bool


@dataclass
class Sums:
    """Picodollars of one kind of call."""

    calls: int = 0
    billed: int = 0
    booked: int = 0
    epsilon: int = 0


@dataclass
class Audit:
    """What was billed and booked, in picodollars, and what does not add up."""

    ledger: int
    unconfirmed: int
    bill: int
    ended: Sums = field(default_factory=Sums)
    cut: Sums = field(default_factory=Sums)
    abandoned: Sums = field(default_factory=Sums)
    problems: list[str] = field(default_factory=list)

    @property
    def ledger_of_cut(self) -> int:
        """What the ledger holds for cut calls: its total less all that ended, as billed."""
        return self.ledger - (self.bill - self.abandoned.billed - self.cut.billed)


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


def by_request(billed: Mapping[str, Billed]) -> dict[str, dict[int, Billed]]:
    """All attempts of each request by number."""
    found: dict[str, dict[int, Billed]] = defaultdict(dict)
    for name, bill in billed.items():
        request_id, _, number = name.rpartition(".")
        found[request_id][int(number)] = bill
    return found


def audit(
    calls: Sequence[Call],
    records: Mapping[str, dict[str, Any]],
    billed: Mapping[str, Billed],
    terms: Mapping[str, Terms],
    ledger: int,
    unconfirmed: int,
) -> Audit:
    """Hold every call's record against the bill, and the ledger's totals against the whole bill.

    `terms` are by the pool's model. `ledger` is what the hub says was spent at simulated providers,
    calls that are not listed here included; `unconfirmed` is what it holds back besides, on an
    account that binds every call.
    """
    attempts = by_request(billed)
    found = Audit(ledger, unconfirmed, sum(bill.cost for bill in billed.values()))
    for call in calls:
        record = records.get(call.request_id)
        if record is None:
            found.problems.append(f"no record of {call.request_id or call.error}")
        else:
            weigh(found, call, record, attempts.get(call.request_id, {}), terms)
    found.problems += whole(found)
    return found


def whole(found: Audit) -> list[str]:
    """The totals: what the ledger holds beside calls that ended, and what it holds back."""
    problems = []
    cut = found.cut
    if not cut.billed <= found.ledger_of_cut <= cut.billed + cut.epsilon:
        problems.append(
            f"the ledger holds {found.ledger_of_cut} for cut calls, billed {cut.billed}, "
            f"published epsilon {cut.epsilon}"
        )
    if found.ledger_of_cut != cut.booked:
        problems.append(
            f"ledger {found.ledger} and bill {found.bill} differ by more than cut calls"
        )
    if found.abandoned.billed > found.unconfirmed:
        problems.append(
            f"attempts given up are billed {found.abandoned.billed}, held back {found.unconfirmed}"
        )
    return problems


def weigh(
    found: Audit,
    call: Call,
    record: Mapping[str, Any],
    attempts: Mapping[int, Billed],
    terms: Mapping[str, Terms],
) -> None:
    """One call: its last attempt is what it is booked for, earlier ones were given up."""
    last = len(record.get("attempts", ()))
    answer = attempts.get(last, Billed(0, ended=True))
    for number, bill in attempts.items():
        if number != last:
            found.abandoned.calls += 1
            found.abandoned.billed += bill.cost
    booked = int(record["cost"])
    sums = found.ended if answer.ended else found.cut
    agreed = None if answer.ended else terms.get(call.model)
    above = 0 if agreed is None else epsilon(call, agreed)
    sums.calls += 1
    sums.billed += answer.cost
    sums.booked += booked
    sums.epsilon += above
    if not answer.cost <= booked <= answer.cost + above:
        kind = "ended" if answer.ended else "cut"
        found.problems.append(f"{call.request_id} ({kind}): billed {answer.cost}, booked {booked}")
