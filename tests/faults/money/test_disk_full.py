"""Full disks: the hub's store and the sidecar's journal refuse honestly and lose nothing."""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import Any

from support.asking import Apps, Got, ask
from support.eventually import eventually
from support.money_world import CENT, DOLLAR, MoneyWorld, a_budget

SMALL: dict[str, Any] = {"max_tokens": 20, "do": {"outputTokens": 10}}


def limit_files(pid: int, size: int) -> None:
    """No file of that process may grow beyond that: its disk is full."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def test_the_hubs_disk_is_full(world: MoneyWorld) -> None:
    """The lease is spent, then refusals name the ledger; with room again all is counted once."""
    world.put(a_budget(10 * CENT))
    url = world.start_sidecar().url
    got: list[Got] = []
    async with Apps(world) as http:
        assert (await ask(http, url, **SMALL)).whole
        limit_files(world.hub.process.pid, 1)
        while len(got) < 3000 and (not got or got[-1].whole):
            got.append(await ask(http, url, **SMALL))
        assert got[-1].status == 429
        assert "ledger" in got[-1].error["message"]
        assert world.hub.http.get("/healthz").status_code == 503
        limit_files(world.hub.process.pid, resource.RLIM_INFINITY)
        eventually(lambda: not world.sidecars["a"].state()["ledger_is_away"], 20)
        assert (await ask(http, url, **SMALL)).whole
    world.finish()
    assert world.booked() == world.billed() <= 10 * CENT


async def test_the_sidecars_disk_is_full(world: MoneyWorld) -> None:
    """Without room for its journal a sidecar takes no lease, refuses, and says why."""
    world.put(a_budget(DOLLAR))
    full = world.folder / "full-disk"
    full.write_text(f'#!/bin/sh\nulimit -f 64\nexec {sys.executable} "$@"\n')
    full.chmod(0o700)
    sidecar = world.start_sidecar(python=str(full))
    async with Apps(world) as http:
        got = await ask(http, sidecar.url, **SMALL)
    assert got.status == 429
    assert sidecar.state()["journal"] != "ok"
    assert "demo/team" in got.error["message"]
    assert "journal" in got.error["message"], got.error["message"]
    world.finish()
    assert world.billed() == world.booked() == 0


async def test_a_disk_that_fills_later_hurts_no_call(world: MoneyWorld) -> None:
    """The journal has its room from the start: a full disk later changes nothing."""
    world.put(a_budget(DOLLAR))
    sidecar = world.start_sidecar()
    journal = [path for path in (sidecar.folder / "state" / "journal").rglob("*") if path.is_file()]
    limit_files(sidecar.pid, max(path.stat().st_size for path in journal))
    async with Apps(world) as http:
        got = await asyncio.gather(*(ask(http, sidecar.url, **SMALL) for _ in range(20)))
    limit_files(sidecar.pid, resource.RLIM_INFINITY)
    assert all(one.whole for one in got), got[0]
    sidecar.kill()
    world.start_sidecar()
    world.finish()
    assert world.booked() == world.billed() > 0
