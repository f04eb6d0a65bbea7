"""A hundred real sidecar processes on one hub: when the last of them runs an edited table.

Each is the image's program with engine, journal and reports, over TLS, with the bench's table of
real size. A sidecar writes the table that its engine has taken to `table.json`; that file's time is
when the edit was in force there, so nothing has to ask a hundred processes while they work.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx

from scale.certificate import write_certificate
from scale.hub_streams import edited, put
from scale.rows import Row
from scale.size import Size
from scale.watched import allow_files, load, rss_mib
from support.eventually import eventually
from support.hub_process import HubProcess, hub_process
from support.processes import Sidecar

NAME, SECONDS = "real-sidecars", 150
SIDECARS, EDITS, STARTING_AT_ONCE = 100, 10, 2
LAST_S, WITHIN_S = 1.0, 60.0


def measure(folder: Path, size: Size) -> list[Row]:
    """Start `SIDECARS x size.share` processes, edit the table ten times."""
    allow_files()
    write_certificate(folder)
    ca = folder / "tls.crt"
    wanted = max(2, int(SIDECARS * size.share))
    tls = ["--tls-cert", str(ca), "--tls-key", str(folder / "tls.key")]
    with (
        ExitStack() as stack,
        hub_process(folder, *tls, "--log-level", "warning") as hub,
        httpx.Client(verify=ssl.create_default_context(cafile=str(ca)), timeout=60) as http,
    ):
        put(http, hub, edited(0))
        began = time.monotonic()
        with ThreadPoolExecutor(STARTING_AT_ONCE) as starting:
            sidecars = list(starting.map(lambda n: _start(hub, folder / f"s{n}", n), range(wanted)))
        for sidecar in sidecars:
            stack.callback(sidecar.kill)
        _in_force(sidecars, edited(0))
        started_s = time.monotonic() - began
        waits = [_edit(http, hub, sidecars, edited(number)) for number in range(1, EDITS + 1)]
        states = [sidecar.state()["digest"] for sidecar in sidecars]
        assert set(states) == {_digest(edited(EDITS))}, "an engine runs another table than it kept"
        each = sorted(rss_mib(sidecar.pid) for sidecar in sidecars)
    shown = ", ".join(f"{wait:.2f}" for wait in sorted(waits))
    told = f"PUT sent until the last of {wanted} engines runs it, worst of {shown}; load {load()}"
    return [
        Row(NAME, "edit_to_last", max(waits), "s", told, at_most=LAST_S),
        Row(NAME, "edit_to_last_median", sorted(waits)[EDITS // 2], "s", f"of {EDITS} edits"),
        Row(NAME, "rss_median", each[len(each) // 2], "MiB", "of a sidecar after the edits"),
        Row(NAME, "start_all", started_s, "s", f"{STARTING_AT_ONCE} at once, until ready"),
    ]


def _start(hub: HubProcess, folder: Path, number: int) -> Sidecar:
    folder.mkdir()
    return Sidecar(
        folder,
        POINTSMAN_HUB_URL=f"https://localhost:{hub.address.rpartition(':')[2]}",
        POINTSMAN_HUB_TOKEN_FILE=str(hub.folder / "token"),
        POINTSMAN_HUB_CA_FILE=str(hub.folder / "tls.crt"),
        POINTSMAN_SIDECAR=f"sidecar-{number}",
        POINTSMAN_WORKLOAD="support",
    )


def _edit(http: httpx.Client, hub: HubProcess, sidecars: list[Sidecar], table: bytes) -> float:
    """Seconds from the PUT until the last engine had taken the table."""
    began = time.time()
    put(http, hub, table)
    return _in_force(sidecars, table) - began


def _in_force(sidecars: list[Sidecar], table: bytes) -> float:
    """Wait until every sidecar has kept this table; when the last one had."""
    digest = _digest(table)
    last = 0.0
    for sidecar in sidecars:
        path = sidecar.folder / "state" / "table.json"
        eventually(partial(_kept, path, digest), WITHIN_S)
        last = max(last, path.stat().st_mtime)
    return last


def _kept(path: Path, digest: str) -> bool:
    return path.exists() and json.loads(path.read_bytes())["digest"] == digest


def _digest(table: bytes) -> str:
    return "sha256:" + hashlib.sha256(table).hexdigest()
