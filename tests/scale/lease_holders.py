"""Thousands of lease holders at ten calls a second on one limit, until it is spent.

Each simulated holder follows the engine's rules for renewals, wants and recalls, and syncs over
TLS with the image's hub on SQLite, on connections that all holders of a process share; its calls
are arithmetic. What a handshake costs the hub is measured apart. The limit lasts for about a minute
at the full rate; then its last dollars are scattered over all leases, and have to be used.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx

from scale.calls import DEAREST, RATE, Calls
from scale.certificate import write_certificate
from scale.rows import Row
from scale.size import Size
from scale.watched import allow_files, load, processor_s, rss_mib
from support.hub_process import FENCE, HubProcess, budget, hub_process, route_table
from support.tree import ROOT

NAME, SECONDS = "lease-holders", 190
HOLDERS, PROCESSES = 5_000, 2
RAMP_S, STEADY_S, LAST_S = 20.0, 60.0, 60.0
ACCOUNT = "demo/team/month"
LEFT = 5 * 10**12
"""Five dollars."""
HANDSHAKES = 300
_MARK_DIGITS = 20
_BINS_A_SECOND = 10


def measure(folder: Path, size: Size) -> list[Row]:
    """Run `HOLDERS x size.share` holders until some time after the limit is spent."""
    allow_files()
    write_certificate(folder)
    ca = folder / "tls.crt"
    holders = int(HOLDERS * size.share) // PROCESSES * PROCESSES
    limit = int(holders * RATE * Calls().mean_cost * (RAMP_S / 2 + STEADY_S))
    tls = ["--tls-cert", str(ca), "--tls-key", str(folder / "tls.key")]
    with (
        hub_process(folder, *tls, "--log-level", "warning") as hub,
        httpx.Client(verify=ssl.create_default_context(cafile=str(ca)), timeout=60) as http,
    ):
        http.base_url = httpx.URL(f"https://localhost:{hub.address.rpartition(':')[2]}")
        http.headers.update(hub.headers)
        window = {"calendar": "Month", "timeZone": "UTC"}
        declared = budget(limit) | {"thresholds": [{"percent": 100, "action": "Block"}]}
        declared["limits"] = [{"name": "month", "amount": limit, "window": window}]
        path = "/v1/tables/demo/support"
        http.put(path, content=route_table(declared), headers=FENCE).raise_for_status()
        handshake_s = _handshake_s(hub, ca)
        seen = Watch(hub, http)
        children = _start(hub, ca, holders, limit)
        seen.during("steady", RAMP_S, RAMP_S + STEADY_S - 5)
        parts = [json.loads(child.communicate(timeout=600)[0]) for child in children]
        row = seen.balance()
        seen.end()
        total = http.get("/v1/spend", params={"by": "model"}).json()["total"]
    seen.figures["handshake"] = handshake_s
    return _rows(parts, row, total, limit, holders, seen)


class Watch:
    """The hub's counters over time."""

    def __init__(self, hub: HubProcess, http: httpx.Client) -> None:
        self._hub, self._http, self._began = hub, http, time.monotonic()
        self.figures: dict[str, float] = {}
        self._sums = {"sum": 0.0, "count": 0.0}

    def during(self, name: str, from_s: float, until_s: float) -> None:
        """Processor time, commits and growth a second between two moments; blocks until then."""
        time.sleep(max(0.0, from_s - self._passed_s()))
        before, began = self._counters(), time.monotonic()
        time.sleep(max(0.0, until_s - self._passed_s()))
        elapsed = time.monotonic() - began
        for key, value in self._counters().items():
            self.figures[f"{name}_{key}"] = (value - before[key]) / elapsed
        self.figures["load"] = load()
        self.figures["rss_mib"] = rss_mib(self._hub.process.pid)

    def balance(self) -> dict[str, Any]:
        """The limit's current window."""
        found = self._http.get("/v1/budgets").json()
        return next(dict(row) for row in found if row["account"] == ACCOUNT)

    def sync_mean_ms(self) -> float:
        """From a sync's arrival to its durable answer, over the whole run."""
        return self._sums["sum"] / max(1.0, self._sums["count"]) * 1000

    def end(self) -> None:
        """Keep what is asked for once the hub is gone."""
        prefix = "pointsman_ledger_sync_seconds_"
        for line in self._http.get("/metrics").text.splitlines():
            name, _, value = line.partition(" ")
            if name in (f"{prefix}sum", f"{prefix}count"):
                self._sums[name.removeprefix(prefix)] = float(value)

    def size_mib(self) -> float:
        """Database and write-ahead log."""
        return sum(path.stat().st_size for path in self._hub.folder.glob("hub.db*")) / 2**20

    def _passed_s(self) -> float:
        return time.monotonic() - self._began

    def _counters(self) -> dict[str, float]:
        mark = self._hub.folder / "hub.db.lock"
        metrics = self._http.get("/metrics").text.splitlines()
        syncs = [line for line in metrics if line.startswith("pointsman_ledger_syncs_total{")]
        return {
            "cpu": processor_s(self._hub.process.pid),
            "commits": int(mark.read_bytes()[:_MARK_DIGITS]),
            "growth_mib": self.size_mib(),
            "syncs": sum(float(line.rsplit(" ", 1)[1]) for line in syncs),
        }


def _handshake_s(hub: HubProcess, ca: Path) -> float:
    """The hub's processor time for one TLS connection, opened and closed."""
    context = ssl.create_default_context(cafile=str(ca))
    address = ("127.0.0.1", int(hub.address.rpartition(":")[2]))
    before = processor_s(hub.process.pid)
    for _ in range(HANDSHAKES):
        with (
            socket.create_connection(address) as plain,
            context.wrap_socket(plain, server_hostname="localhost"),
        ):
            pass
    return (processor_s(hub.process.pid) - before) / HANDSHAKES


def _start(hub: HubProcess, ca: Path, holders: int, limit: int) -> list[subprocess.Popen[str]]:
    each = holders // PROCESSES
    command = [sys.executable, "-P", "-m", "scale.holders"]
    command += ["--port", hub.address.rpartition(":")[2], "--ca", str(ca)]
    command += ["--token", str(hub.folder / "token"), "--holders", str(each)]
    command += ["--limit", str(limit), "--ramp-s", str(RAMP_S)]
    command += ["--began", str(time.monotonic()), "--seconds", str(RAMP_S + STEADY_S + LAST_S)]
    return [
        subprocess.Popen(
            [*command, "--first", str(number * each)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT / "tests")},
        )
        for number in range(PROCESSES)
    ]


def _rows(
    parts: list[dict[str, Any]],
    row: dict[str, Any],
    total: dict[str, Any],
    limit: int,
    holders: int,
    seen: Watch,
) -> list[Row]:
    spent = sum(part["spent"] for part in parts)
    served = sum(part["served"] for part in parts)
    counts = sum((Counter(part["counts"]) for part in parts), Counter[str]())
    steady = _waits_ms(parts, RAMP_S, RAMP_S + STEADY_S - 5)
    after = _waits_ms(parts, RAMP_S + STEADY_S, RAMP_S + STEADY_S + LAST_S)
    figures = seen.figures
    told = f"{holders:,} holders, {RATE} calls/s each, {served:,} calls, load {figures['load']}"
    off = max(abs(row["settled"] - spent), abs(total["cost"] - spent))
    open_money = row["leased"] + row["unconfirmed"]
    gave_up = sum((Counter(part["gave_up"]) for part in parts), Counter[str]())
    answers = sorted(ms for part in parts for ms in part["answers_ms"])
    last = calls_within(parts, limit)
    handshakes = sum(part["handshakes"] for part in parts)
    return [
        _exact("settled_off", off, f"ledger and spend beside the holders' own sum; {told}"),
        _exact("left_open", open_money, "leased and unconfirmed after every holder's last report"),
        Row(
            *(NAME, "calls_of_last_5_dollars", last, "calls"),
            f"made from when $5 was left; the dearest reserves ${DEAREST / 1e12}",
            at_least=LEFT // DEAREST,
        ),
        Row(NAME, "left_over", (limit - spent) / 1e12, "USD", f"of ${limit / 1e12:,.2f}"),
        Row(NAME, "hub_cpu", figures["steady_cpu"] * 100, "% of a core", "at the full rate"),
        Row(NAME, "syncs", figures["steady_syncs"], "1/s", "at the full rate"),
        Row(NAME, "commits", figures["steady_commits"], "1/s", "at the full rate, each synced"),
        Row(
            *(NAME, "database_growth", figures["steady_growth_mib"] * 3600, "MiB/h"),
            "database and log at the full rate, of which one minute was seen",
        ),
        Row(NAME, "hub_rss", figures["rss_mib"], "MiB", "hub's RSS near the end of the full rate"),
        Row(NAME, "sync_p50", _at(steady, 50), "ms", f"of {len(steady):,} at the full rate"),
        Row(NAME, "sync_p99", _at(steady, 99), "ms", "the same"),
        Row(
            *(NAME, "answer_p50", _at(answers, 50), "ms"),
            "from a request's last byte to its answer: without the wait for a connection",
        ),
        Row(NAME, "answer_p99", _at(answers, 99), "ms", "the same"),
        Row(NAME, "hub_sync_mean", seen.sync_mean_ms(), "ms", "by the hub's own histogram"),
        *(
            Row(
                NAME, f"gave_up_{stage}", gave_up[stage], "syncs", "at the engines' 5 s, waiting so"
            )
            for stage in ("place", "connection", "answer")
        ),
        Row(NAME, "spent_syncs", len(after) / LAST_S, "1/s", "once the limit is spent"),
        Row(NAME, "spent_sync_p99", _at(after, 99), "ms", "the same; engines give up at 5,000"),
        Row(
            *(NAME, "handshake_cpu", figures["handshake"] * 1000, "ms"),
            "hub's processor time for a TLS connection: engines open one for a sync, these share"
            f" {handshakes}",
        ),
        Row(NAME, "refused", counts["refused"], "calls", f"{counts['failed']} syncs failed"),
    ]


def _waits_ms(parts: list[dict[str, Any]], from_s: float, until_s: float) -> list[float]:
    sent = (pair for part in parts for pair in part["waits_ms"])
    return sorted(wait for when, wait in sent if from_s <= when < until_s)


def _at(ordered: list[float], percent: int) -> float:
    return ordered[len(ordered) * percent // 100] if ordered else 0.0


def _exact(name: str, value: int, method: str) -> Row:
    return Row(NAME, name, value, "picodollars", method, at_most=0, at_least=0)


def calls_within(parts: list[dict[str, Any]], limit: int) -> int:
    """Calls made in the tenths of a second after the one in which five dollars were left."""
    bins = max(len(part["success_costs"]) for part in parts)

    def summed(key: str) -> list[int]:
        padded = [part[key] + [0] * (bins - len(part[key])) for part in parts]
        return [sum(column) for column in zip(*padded, strict=True)]

    reached = [limit - spent <= LEFT for spent in accumulate(summed("success_costs"))]
    first = reached.index(True) + 1 if True in reached else bins
    return sum(summed("success_counts")[first:])
