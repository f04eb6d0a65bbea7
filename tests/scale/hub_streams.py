"""One hub, thousands of TLS streams with a table of real size: memory, and an edit's way to all.

The table is the bench's: 11 rules, 6 signals, 5 models with quality heads. All streams are of one
namespace and one policy, so that every edit goes to every one of them. The hub is the image's
program on an own folder; TLS 1.3, ECDSA P-256. Readers are four processes on the same cores.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.table import compile_table
from scale.certificate import write_certificate
from scale.rows import Row
from scale.size import Size
from scale.watched import allow_files, load, processor_s, rss_mib
from support.hub_process import FENCE, HubProcess, hub_process
from support.tree import ROOT

NAME, SECONDS = "hub-streams", 120
STREAMS, EDITS, READERS = 10_000, 3, 4
HUB_MIB, ALL_S = 1024, 5.0


def measure(folder: Path, size: Size) -> list[Row]:
    """Hold `STREAMS x size.share` streams, edit the table three times."""
    allow_files()
    write_certificate(folder)
    ca = folder / "tls.crt"
    streams = int(STREAMS * size.share) // READERS * READERS
    tls = ["--tls-cert", str(ca), "--tls-key", str(folder / "tls.key")]
    with (
        hub_process(folder, *tls, "--log-level", "warning") as hub,
        httpx.Client(verify=ssl.create_default_context(cafile=str(ca)), timeout=60) as http,
    ):
        tables = [edited(number) for number in range(EDITS + 1)]
        base = rss_mib(hub.process.pid)
        put(http, hub, tables[0])
        began = time.monotonic()
        with readers(hub, ca, streams) as held:
            taken(held, tables[0])
            opened_s = time.monotonic() - began
            opened = rss_mib(hub.process.pid)
            busy_s = processor_s(hub.process.pid)
            waits = [edit(http, hub, held, table) for table in tables[1:]]
            busy_s = (processor_s(hub.process.pid) - busy_s) / EDITS
            after, peak = rss_mib(hub.process.pid), rss_mib(hub.process.pid, peak=True)
    what = f"{streams:,} streams, table of {len(tables[0]):,} bytes, load {load()}"
    return [
        Row(NAME, "rss_after_edits", after, "MiB", f"hub's RSS; {what}", at_most=HUB_MIB),
        Row(NAME, "rss_peak", peak, "MiB", "the most since its start (VmHWM)"),
        Row(NAME, "rss_opened", opened, "MiB", f"before the edits; empty it had {base:.0f}"),
        Row(NAME, "edit_to_last", max(waits), "s", _edits(waits), at_most=ALL_S),
        Row(NAME, "cpu_per_edit", busy_s, "s", "hub's processor time, a mean of the edits"),
        Row(NAME, "open_all", opened_s, "s", "from no stream to all, each with its first table"),
    ]


def _edits(waits: list[float]) -> str:
    each = ", ".join(f"{wait:.2f}" for wait in waits)
    return f"PUT sent until the last stream has read it whole, worst of {each}"


def edited(number: int) -> bytes:
    """The bench's table with another price a number: canonical bytes."""
    table = json.loads(compile_table("127.0.0.1:1", "127.0.0.1:2").data)
    table["policy"] = {"namespace": "demo", "name": "support"}
    table["models"][0]["pricing"]["output"] += number
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def put(http: httpx.Client, hub: HubProcess, table: bytes) -> None:
    """Publish."""
    url = f"https://localhost:{hub.address.rpartition(':')[2]}/v1/tables/demo/support"
    http.put(url, content=table, headers=FENCE | hub.headers).raise_for_status()


def edit(http: httpx.Client, hub: HubProcess, held: list[Any], table: bytes) -> float:
    """Seconds from the PUT until the last stream has the table."""
    began = time.monotonic()
    put(http, hub, table)
    return taken(held, table) - began


def taken(held: list[subprocess.Popen[str]], table: bytes) -> float:
    """Wait until every stream has the table; the monotonic time at which the last had it."""
    return told(held, "sha256:" + hashlib.sha256(table).hexdigest())


def told(held: list[subprocess.Popen[str]], wanted: str) -> float:
    """The same for whatever `stream_readers` can be asked."""
    for child in held:
        assert child.stdin is not None
        child.stdin.write(wanted + "\n")
        child.stdin.flush()
    lines = [child.stdout.readline() for child in held if child.stdout is not None]
    if not all(lines):
        raise RuntimeError("a reader ended: its streams broke")
    return float(max(json.loads(line)["last"] for line in lines))


@contextmanager
def readers(hub: HubProcess, ca: Path, streams: int) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes that hold the streams; ended with the block."""
    each = streams // READERS
    port = hub.address.rpartition(":")[2]
    command = [sys.executable, "-P", "-m", "scale.stream_readers", "--port", port]
    command += ["--ca", str(ca), "--token", str(hub.folder / "token"), "--streams", str(each)]
    children = [
        subprocess.Popen(
            [*command, "--first", str(number * each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT / "tests")},
        )
        for number in range(READERS)
    ]
    try:
        yield children
    finally:
        for child in children:
            child.kill()
            child.wait()
