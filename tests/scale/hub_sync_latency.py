"""Measure what a ledger sync takes: the caller's wait and the hub's processor time.

Run by hand (`python tests/scale/hub_sync_latency.py`); the figures are in docs/decisions.md. A real
hub process serves HTTP on a temporary folder. In this process N callers each play one engine in a
closed loop on a connection of their own: every sync reports one lease that has spent a cent more
and one usage row that has grown, and wants the next cent. Waits are from the request's first byte
to the answer's last, processor time is the hub process's own (utime + stime over all threads),
commits are counted by the mark beside the
database, or by PostgreSQL's row. On a busy machine the waits are the machine's;
the processor time a sync is the figure to compare.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.hub_process import ACCOUNT, HubProcess, budget, on_postgresql, route_table
from support.postgresql_server import postgresql_server

CENT = 10**10
LIMIT = 9_000_000 * 10**12
WARM_SYNCS = 20
MARK_DIGITS = 20


@dataclass
class Engine:
    """One engine start and what it knows of its lease."""

    number: int
    seq: int = 0
    lease: dict[str, Any] = field(default_factory=dict)
    waits_ms: list[float] = field(default_factory=list)

    def request(self) -> bytes:
        """The next sync's document."""
        self.seq += 1
        if self.lease:
            self.lease["spent"] += CENT
        want = {"account": ACCOUNT, "next": False, "need": CENT, "prefer": CENT}
        want |= {"have": self.lease.get("granted", 0)}
        if self.lease:
            want["window"] = self.lease["window"]
        names = {"model": "main/small", "provider": "openai", "workload": "support", "key": "k"}
        counted = {"requests": self.seq, "input_tokens": 90 * self.seq, "output_tokens": self.seq}
        usage = names | counted | {"team": "", "endpoint": "chat", "cost": CENT * self.seq}
        who = {"sidecar": f"sidecar-{self.number}", "boot": "b", "seq": self.seq, "incarnation": 1}
        leases = [self.lease] if self.lease else []
        document = who | {"final": False, "leases": leases, "usage": [usage], "wants": [want]}
        return json.dumps(document).encode()

    def take(self, answer: dict[str, Any]) -> None:
        """Keep the grant; anything else than one covered want is an error of the measurement."""
        (found,) = answer["leases"]
        known = self.lease or {"returned": 0, "spent": 0, "unconfirmed": 0, "closed": False}
        named = {"id": found["id"], "account": ACCOUNT, "window": found["window"]["key"]}
        self.lease = known | named | {"granted": found["granted"]}
        if answer["denied"]:
            raise RuntimeError(f"denied: {answer}")


async def run_engine(engine: Engine, hub: HubProcess, syncs: int) -> None:
    """Sync one after the other."""
    host, port = hub.address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/ledger/sync HTTP/1.1\r\nhost: {hub.address}\r\n"
    head += f"authorization: Bearer {hub.token}\r\ncontent-type: application/json\r\n"
    for _ in range(syncs):
        body = engine.request()
        begun = time.perf_counter()
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await _read_answer(reader)
        engine.waits_ms.append((time.perf_counter() - begun) * 1000)
        engine.take(json.loads(answer))
    writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    body = await reader.readexactly(length)
    if " 200 " not in head.split("\r\n")[0]:
        raise RuntimeError(f"{head}{body!r}")
    return body


async def measure(hub: HubProcess, callers: int, syncs: int) -> dict[str, Any]:
    """One row: `callers` engines, `syncs` in all."""
    engines = [Engine(callers * 1000 + n) for n in range(callers)]
    await asyncio.gather(*(run_engine(it, hub, max(1, WARM_SYNCS // callers)) for it in engines))
    for engine in engines:
        engine.waits_ms.clear()
    commits, busy_s, begun = _commits(hub), _processor_s(hub.process.pid), time.perf_counter()
    await asyncio.gather(*(run_engine(it, hub, syncs // callers) for it in engines))
    elapsed_s = time.perf_counter() - begun
    commits, busy_s = _commits(hub) - commits, _processor_s(hub.process.pid) - busy_s
    waits_ms = sorted(wait for engine in engines for wait in engine.waits_ms)
    return {
        "callers": callers,
        "syncs": len(waits_ms),
        "p50_ms": round(waits_ms[len(waits_ms) // 2], 1),
        "p99_ms": round(waits_ms[len(waits_ms) * 99 // 100], 1),
        "syncs_per_s": round(len(waits_ms) / elapsed_s),
        "hub_cpu_ms_per_sync": round(busy_s * 1000 / len(waits_ms), 2),
        "commits_per_s": round(commits / elapsed_s),
        "load": round(os.getloadavg()[0], 1),
    }


def _commits(hub: HubProcess) -> int:
    url = hub.folder / "postgresql-url"
    if url.exists():
        with psycopg.connect(url.read_text()) as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'commits'").fetchone()
        return int(row[0]) if row else 0
    return int((hub.folder / "hub.db.lock").read_bytes()[:MARK_DIGITS])


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print the method, then one JSON line for each number of callers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--syncs", type=int, default=640)
    parser.add_argument(
        "--postgresql", action="store_true", help="the ledger in a server of its own, on a socket"
    )
    arguments = parser.parse_args()
    sys.stdout.write(f"{__doc__}\n")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ["--log-level", "warning"]
        if arguments.postgresql:
            server = stack.enter_context(postgresql_server())
            server.stop()
            # As a server is run: every commit reaches the disk, as SQLite's does.
            server.start("-c", "fsync=on")
            options += on_postgresql(stack.enter_context(server.database()), folder)
        hub = HubProcess(folder, options)
        hub.start()
        try:
            hub.put_table(route_table(budget(LIMIT)))
            for callers in arguments.callers:
                row = asyncio.run(measure(hub, callers, arguments.syncs))
                sys.stdout.write(json.dumps(row) + "\n")
                sys.stdout.flush()
        finally:
            hub.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
