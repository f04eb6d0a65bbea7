"""One process of part `lease-holders`: some thousand simulated engines that sync for real.

A child of `lease_holders`. What goes over the wire is what an engine sends: cumulative numbers at
every renewal, and wants as `demand` decides; the calls themselves are arithmetic.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop

from scale.calls import CALLS, RATE, RUN_MAX, Calls, Successes
from scale.demand import Demand
from scale.ledger_caller import LedgerCaller

PATIENCE_S, CALLED_S = 2.0, 4.0
"""How long a call waits for an answer under way; and while others are called to give back."""
URGENT_S, REFILL_S = 0.02, 0.2
TIMEOUT_S, FIRST_PAUSE_S, BACKOFF_S = 5.0, 0.05, 5.0
ACCOUNT = "demo/team/month"


class Holder:
    """One engine start: its lease, and its calls one after the other."""

    def __init__(self, number: int, began_s: float, limit: int, shared: Shared) -> None:
        self.number, self.began_s, self.shared = number, began_s, shared
        self.at = random.Random(number).randrange(CALLS - RUN_MAX)
        self.demand = Demand(limit)
        self.lease: dict[str, Any] = {}
        self.arrived = self.served = self.spent = self.seq = self.returned = self.failures = 0
        self.waiting: list[tuple[float, int]] = []
        """When, and which call."""
        self.denied_until_s = self.synced_s = self.called_s = 0.0
        self.renew_s = 30.0
        self.remaining: int | None = None
        self.hurry = True

    @property
    def free(self) -> int:
        """What may still be reserved."""
        return int(self.lease["granted"]) - self.returned - self.spent if self.lease else 0

    @property
    def patience_s(self) -> float:
        """How long a call waits for money."""
        return CALLED_S if self.called_s else PATIENCE_S

    def make_calls(self, now_s: float) -> None:
        """Every call that is due by now: made, refused, or left waiting."""
        calls = self.shared.calls
        due = min(int((now_s - self.began_s) * RATE), RUN_MAX)
        while self.arrived < due:
            here = self.at + self.arrived
            sure = min(calls.sure(here, self.free), due - self.arrived)
            if sure:
                costs = calls.costs[here : here + sure]
                self.shared.successes.add(self.began_s, self.arrived, costs)
                self.spent += int(costs.sum())
                self.served += sure
                self.arrived += sure
                continue
            self.try_call(self.began_s + self.arrived / RATE, here)
            self.arrived += 1

    def try_call(self, when_s: float, which: int, at_s: float | None = None) -> None:
        """One call that may not fit, made at `when_s` and decided on at `at_s` or then."""
        reserved = self.shared.calls.reserved[which]
        self.demand.dearest = max(self.demand.dearest, reserved)
        decided_s = when_s if at_s is None else at_s
        if reserved <= self.free:
            cost = int(self.shared.calls.costs[which])
            self.spent += cost
            self.served += 1
            self.shared.successes.add_one(decided_s, cost)
        elif decided_s < self.denied_until_s or decided_s - when_s > self.patience_s:
            self.shared.counts["refused"] += 1
        else:
            self.waiting.append((when_s, which))

    def due_s(self, now_s: float) -> float:
        """When this holder has to talk to the hub."""
        if self.waiting:
            return self.synced_s + (self.called_s or URGENT_S)
        if self.hurry:
            return self.synced_s + REFILL_S
        renewal_s = self.synced_s + self.renew_s * random.uniform(0.6, 1.0)
        low = self.free - self.demand.target(now_s) // 2
        until_low = self.shared.calls.sure(self.at + self.arrived, low)
        low_s = self.began_s + (self.arrived + until_low + 1) / RATE
        return min(renewal_s, max(low_s, self.synced_s + REFILL_S, self.denied_until_s))

    def request(self, now_s: float, *, final: bool = False) -> dict[str, Any]:
        """The next sync's document."""
        self.seq += 1
        leases = []
        if self.lease:
            numbers = {"returned": self.returned, "spent": self.spent, "unconfirmed": 0}
            numbers["free"] = self.free
            leases = [self.lease | numbers | {"account": ACCOUNT, "closed": final}]
        names = {"model": "main/small", "provider": "openai", "workload": "support"}
        names |= {"team": "", "key": "", "endpoint": "chat"}
        counted = {"requests": self.served, "input_tokens": 90 * self.served}
        counted |= {"output_tokens": self.served, "cost": self.spent, "unconfirmed": 0}
        who = {"sidecar": f"sidecar-{self.number}", "boot": "b", "seq": self.seq}
        who |= {"incarnation": self.shared.incarnation, "final": final}
        wants = [] if final else self.wants(now_s)
        return who | {"leases": leases, "usage": [names | counted], "wants": wants}

    def wants(self, now_s: float) -> list[dict[str, Any]]:
        """As the engine asks: what callers wait for, and a prefetch where it runs low."""
        self.demand.measure(self.spent, now_s, self.renew_s)
        asked = sum(self.shared.calls.reserved[which] for _, which in self.waiting)
        need = max(0, asked - self.free)
        if need:
            self.demand.note_short(need, now_s, self.renew_s)
        low = self.free <= self.demand.target(now_s) // 2
        more = 0
        if low or need or not self.lease:
            more = self.demand.prefetch(self.free, self.remaining, now_s)
        lasting = max(more, self.demand.reserve(self.free, self.remaining, now_s))
        if not (need or lasting or not self.lease):
            return []
        want = {"account": ACCOUNT, "next": False, "need": need, "prefer": need + more}
        want["reserve"] = need + lasting
        want |= {"have": self.lease.get("granted", 0)}
        return [want | ({"window": self.lease["window"]} if self.lease else {})]

    def take(self, answer: dict[str, Any], now_s: float) -> None:
        """What an answer changes; raises RuntimeError where a lease was lost."""
        self.synced_s, self.hurry = now_s, False
        self.shared.incarnation = answer["incarnation"]
        found = [it for it in answer["leases"] if it["account"] == ACCOUNT]
        if self.lease and [it["id"] for it in found] != [self.lease["id"]]:
            raise RuntimeError(f"{self.lease} was lost: {answer}")
        for grant in found:
            window = grant["window"]["key"]
            self.lease = {"id": grant["id"], "window": window, "granted": grant["granted"]}
            self.renew_s = grant["renew_every_ms"] / 1000
            if grant["recall"]:
                self.demand.recall(now_s, self.renew_s)
                self.hurry = self.free > 0 and not self.waiting
                self.returned += self.free if self.hurry else 0
        for state in answer["states"]:
            self.remaining = max(0, state["limit"] - state["used"])
        self.called_s = 0.0
        for denied in answer["denied"]:
            self.shared.counts["denied"] += 1
            if denied.get("wait_ms"):
                self.called_s = denied["wait_ms"] / 1000
            else:
                self.denied_until_s = now_s + denied["again_ms"] / 1000
        self.make_calls(now_s)
        waiting, self.waiting = self.waiting, []
        for when_s, which in waiting:
            self.try_call(when_s, which, now_s)


class Shared:
    """What the holders of this process have in common."""

    def __init__(self, caller: LedgerCaller, began: float) -> None:
        self.calls, self.successes, self.caller = Calls(), Successes(), caller
        self.counts: Counter[str] = Counter()
        self.waits_ms: list[tuple[float, float]] = []
        """When a sync was sent, and how long it took."""
        self.began, self.incarnation, self.over = began, 0, False

    def now_s(self) -> float:
        """Since the start, on the clock that all processes share."""
        return time.monotonic() - self.began


async def live(holder: Holder) -> None:
    """Call and sync until the parent has had enough, then report for good."""
    shared = holder.shared
    await asyncio.sleep(max(0.0, holder.began_s - shared.now_s()))
    while not shared.over:
        now_s = shared.now_s()
        holder.make_calls(now_s)
        due_s = holder.due_s(now_s)
        if due_s > now_s:
            await asyncio.sleep(min(due_s - now_s, 1.0))
            continue
        await sync(holder)
    await sync(holder, final=True)


async def sync(holder: Holder, *, final: bool = False) -> None:
    """One exchange."""
    shared, sent_s = holder.shared, holder.shared.now_s()
    document = json.dumps(holder.request(sent_s, final=final)).encode()
    status, body = 0, b""
    with suppress(TimeoutError):
        # What counts at the end is that every last report arrives.
        async with asyncio.timeout(None if final else TIMEOUT_S):
            status, body = await shared.caller.post(document)
    now_s = shared.now_s()
    shared.waits_ms.append((sent_s, (now_s - sent_s) * 1000))
    shared.counts["syncs"] += 1
    if status != 200:
        shared.counts["failed"] += 1
        holder.failures += 1
        pause_s = min(BACKOFF_S, FIRST_PAUSE_S * 2 ** min(20, holder.failures - 1))
        await asyncio.sleep(pause_s * random.uniform(0.6, 1.0))
        if final:
            await sync(holder, final=True)
        return
    holder.failures = 0
    if not final:
        holder.take(json.loads(body), now_s)


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All holders of this process; what they did."""
    context = ssl.create_default_context(cafile=str(arguments.ca))
    caller = LedgerCaller(arguments.port, arguments.token.read_text().strip(), context)
    shared = Shared(caller, arguments.began)
    numbers = range(arguments.first, arguments.first + arguments.holders)
    spread = random.Random(arguments.first)
    holders = [
        Holder(number, spread.uniform(0, arguments.ramp_s), arguments.limit, shared)
        for number in numbers
    ]
    tasks = [asyncio.create_task(live(holder)) for holder in holders]
    await asyncio.sleep(max(0.0, arguments.seconds - shared.now_s()))
    shared.over = True
    for done in asyncio.as_completed(tasks):
        await done
    last = int(shared.successes.counts.nonzero()[0].max(initial=0)) + 1
    return {
        "spent": sum(holder.spent for holder in holders),
        "served": sum(holder.served for holder in holders),
        "handshakes": caller.opened,
        "counts": dict(shared.counts),
        "gave_up": dict(caller.gave_up),
        "answers_ms": caller.answers_ms,
        "waits_ms": shared.waits_ms,
        "success_counts": shared.successes.counts[:last].tolist(),
        "success_costs": shared.successes.costs[:last].tolist(),
    }


def main() -> int:
    """Run, then print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--port", "--first", "--holders", "--limit"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--began", "--seconds", "--ramp-s"):
        parser.add_argument(name, type=float, required=True)
    for name in ("--ca", "--token"):
        parser.add_argument(name, type=Path, required=True)
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(run(parser.parse_args()))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
