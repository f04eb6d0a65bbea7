"""One sidecar with a Budget before a provider that fails in every way, driven by wrk."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from scale.leavers import leave
from support.eventually import eventually
from support.money_world import DOLLAR, MoneyWorld, a_budget
from support.processes import Sidecar
from support.tables import route

FAULTS: dict[str, dict[str, object]] = {
    "reset": {"cutAtEvent": 3, "cut": "reset"},
    "closed": {"cutAtEvent": 3, "cut": "eof"},
    "ended": {"cutAtEvent": 3, "cut": "end"},
    "no-end-mark": {"noDone": True},
    "stall": {"stallAtEvent": 3},
    "garbage": {"garbageAtEvent": 3},
    "error-event": {"errorAtEvent": 3},
    "cut-early": {"cutAtByte": 5},
    "silent": {"firstTokenMs": 2_000},
    "server-error": {"error": "serverError"},
    "overloaded": {"error": "overloaded"},
    "rate-limit": {"error": "rateLimit", "headers": {"retry-after": "1"}},
    "bad-request": {"error": "badRequest"},
    "compressed": {"compress": "gzip"},
    "in-pieces": {"chunkBytes": 7, "crlf": True},
    "slow": {"tokensPerSecond": 40},
}
"""By the user agent that asks for it. The first model plays them, the second saves what it can."""
LIMITS = {"firstTokenMs": 500, "streamIdleMs": 500, "totalMs": 10_000}
CONNECTIONS = 32
ANSWER = {"outputTokens": 20}
MIX = Path(__file__).with_name("mix.lua")
_DONE = re.compile(r"(\d+) requests in ")
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


@dataclass(frozen=True)
class Held:
    """What a sidecar holds when no call is in flight."""

    rss_mib: float
    files: int
    threads: int
    reserved: int

    @classmethod
    def by(cls, sidecar: Sidecar) -> Held:
        """Once all calls have ended and idle connections are closed by their callers."""
        eventually(lambda: sidecar.state()["in_flight"] == 0, within_s=60)
        process = Path(f"/proc/{sidecar.pid}")
        money = sidecar.state()["money"].values()
        return cls(
            sidecar.rss_mib(),
            len(list((process / "fd").iterdir())),
            len(list((process / "task").iterdir())),
            sum(row["reserved"] for row in money),
        )


def begin(world: MoneyWorld) -> Sidecar:
    """Two models of one provider, the first of which fails; a Budget that nobody exhausts."""
    ours = [
        {
            "match": {"model": "gpt-2026", "header": {"user-agent": name}},
            "do": {**ANSWER, **action},
        }
        for name, action in FAULTS.items()
    ]
    world.sim.script(*ours, {"do": ANSWER})
    rules = [
        {
            "name": "all",
            "when": {},
            "route": route("gpt", "cheap", timeouts=LIMITS),
        }
    ]
    world.put(a_budget(1_000_000 * DOLLAR), names=("gpt", "cheap"), rules=rules)
    return world.start_sidecar()


def drive(sidecar: Sidecar, seconds: int, rate: float | None = None) -> int:
    """Call for so long, at a rate or as fast as it goes; how many calls came to an end."""
    program = shutil.which("wrk")
    if program is None:
        pytest.fail("wrk is missing: run `make soak`, which installs it")
    pause_ms = 0 if rate is None else round(1000 * CONNECTIONS / rate)
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "15s"]
    command += ["-s", str(MIX), sidecar.url, "--", str(pause_ms), *FAULTS]
    with leaving(sidecar.url):
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    done = _DONE.search(run.stdout)
    assert done, run.stdout + run.stderr
    errors = _ERRORS.search(run.stdout)
    connect, read, write, timeout = (int(it) for it in errors.groups()) if errors else (0,) * 4
    # A cut stream is a read error: it breaks off, as it should. Nothing else may.
    assert (connect, write, timeout) == (0, 0, 0), run.stdout
    return int(done[1]) + read


@contextmanager
def leaving(url: str) -> Iterator[None]:
    """Meanwhile somebody begins a stream ten times a second and goes away in the middle of it."""
    over = threading.Event()
    chance = random.Random(5)

    def go() -> None:
        while not over.wait(0.1):
            # A refused call has no stream to leave; that it was refused is in its record.
            with suppress(OSError, ValueError):
                leave(url, chance.uniform(0.001, 0.1))

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def billed(world: MoneyWorld) -> int:
    """As `MoneyWorld.billed`, for millions of lines: only the last cost of each call is kept."""
    last: dict[str, int] = {}
    with world.sim.bill_path.open() as lines:
        for line in lines:
            entry = json.loads(line)
            last[entry["id"]] = entry["cost"]
    return sum(last.values())


def settle(world: MoneyWorld) -> tuple[int, int]:
    """End the sidecar; what the ledger booked and the provider billed, nothing left in between.

    What providers may bill for attempts that were given up is unconfirmed, and counts as booked.
    """
    world.finish()
    booked = world.booked()
    rows = world.balances()
    assert [row["leased"] for row in rows] == [0] * len(rows)
    return booked, billed(world)
