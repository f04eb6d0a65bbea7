"""Health at size: ten thousand sidecars report to one hub, a thousand of them of a flapping target.

All have their stream open over TLS, and all hear what the hub judges. A thousand say of one target,
each in its own time, that it is down for three seconds and well for three; the others say every
thirty seconds that they were answered. The controller asks for the fleet's news as it does. Then
two find another target down, which nobody else calls: until the last stream has been told.
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scale.certificate import write_certificate
from scale.hub_streams import edited, readers, taken, told
from scale.rows import Row
from scale.size import Size
from scale.watched import allow_files, load, processor_s, rss_mib
from support.hub_process import FENCE, HubProcess, hub_process
from support.tree import ROOT

NAME, SECONDS = "flapping-health", 100
SIDECARS, FLAPPING, FOR_S = 10_000, 1_000, 40.0
WARM_S = 8.0
CPU_PERCENT, TOLD_S = 100.0, 5.0
FLEET_PAUSE_S = 0.5
"""As the controller's."""
POLICY = "/v1/tables/demo/support"


def measure(folder: Path, size: Size) -> list[Row]:
    """`SIDECARS x size.share` of them."""
    allow_files()
    write_certificate(folder)
    fleet = Fleet(int(SIDECARS * size.share) // 4 * 4, int(FLAPPING * size.share))
    tls = ["--tls-cert", str(folder / "tls.crt"), "--tls-key", str(folder / "tls.key")]
    with hub_process(folder, *tls, "--log-level", "warning") as hub:
        pid, table = hub.process.pid, edited(0)
        flaps, falls = (model["name"] for model in json.loads(table)["models"][:2])
        Caller(hub).call("PUT", POLICY, table, FENCE)
        with readers(hub, folder / "tls.crt", fleet.sidecars) as held:
            taken(held, table)
            opened = rss_mib(pid)
            with reporting(hub, fleet, flaps) as reporters, asking(hub) as asked:
                time.sleep(WARM_S)
                before, began = processor_s(pid), time.monotonic()
                first_asked = asked[0]
                time.sleep(FOR_S)
                cpu = 100 * (processor_s(pid) - before) / (time.monotonic() - began)
                times = asked[0] - first_asked
                waits = [_fall(hub, held, falls) for _ in range(3)]
                after, busy = rss_mib(pid), load()
                reports = reporters.end()
    what = f"{fleet.sidecars:,} sidecars, {fleet.flapping:,} of which flap"
    rate = f"{reports['rate']:.0f} reports/s"
    each = ", ".join(f"{wait:.2f}" for wait in waits)
    told_how = f"second witness's report sent until the last stream has read it, worst of {each}"
    return [
        Row(NAME, "hub_cpu", cpu, "% of a core", f"{what}; {rate}; load {busy}", CPU_PERCENT),
        Row(NAME, "told_last", max(waits), "s", told_how, TOLD_S),
        Row(NAME, "report_p99", reports["p99_ms"], "ms", "sent until answered"),
        Row(NAME, "fleet_asked", times, "times", f"by the controller, in {FOR_S:.0f} s"),
        Row(NAME, "rss", after, "MiB", f"hub's; with its streams alone {opened:.0f}"),
    ]


@dataclass(frozen=True)
class Fleet:
    """How many there are."""

    sidecars: int
    flapping: int


class Caller:
    """One connection to the hub, kept."""

    def __init__(self, hub: HubProcess) -> None:
        context = ssl.create_default_context(cafile=str(hub.folder / "tls.crt"))
        port = int(hub.address.rpartition(":")[2])
        self._http = http.client.HTTPSConnection("localhost", port, timeout=120, context=context)
        self._headers = hub.headers

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> bytes:
        """One call's answer."""
        self._http.request(method, path, body, {**self._headers, **(headers or {})})
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return content

    def report(self, sidecar: str, **more: Any) -> None:
        """What one says of itself, a sidecar's usual words beside."""
        said = {"sidecar": sidecar, "boot": "1", "digest": "", "version": "0.1.0", "ledger": "ok"}
        body = json.dumps({**said, "records": [], **more}).encode()
        self.call("POST", "/v1/reports", body, {"content-type": "application/json"})


def _fall(hub: HubProcess, held: list[subprocess.Popen[str]], model: str) -> float:
    """Two find a target down: seconds until all have been told; then they are answered again."""
    caller = Caller(hub)
    outages = {model: {"class": "Connect", "for_ms": 100, "failed_ms": 0}}
    caller.report("s0", targets={model: "Open"}, outages=outages)
    began = time.monotonic()
    caller.report("s1", targets={model: "Open"}, outages=outages)
    wait_s = told(held, f"down {model}") - began
    for witness in ("s0", "s1"):
        caller.report(witness, targets={model: "Closed"}, answered={model: 0})
    told(held, f"up {model}")
    return wait_s


@contextmanager
def asking(hub: HubProcess) -> Iterator[list[int]]:
    """The controller's questions for news, at its pace; how many there were."""
    asked, ended, caller = [0], threading.Event(), Caller(hub)

    def ask() -> None:
        revision = -1
        while not ended.is_set():
            content = caller.call("GET", f"/v1/fleet?after={revision}&wait=1&changes=true")
            revision = int(json.loads(content)["rev"])
            asked[0] += 1
            ended.wait(FLEET_PAUSE_S)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield asked
    finally:
        ended.set()
        thread.join()


class Reporters:
    """The process that speaks for all of them."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def end(self) -> dict[str, float]:
        """Stop, and say how it went."""
        said, _ = self._child.communicate(timeout=60)
        found: dict[str, float] = json.loads(said)
        return found


@contextmanager
def reporting(hub: HubProcess, fleet: Fleet, model: str) -> Iterator[Reporters]:
    """All of them report."""
    command = [sys.executable, "-P", "-m", "scale.health_reporters", "--folder", str(hub.folder)]
    command += ["--address", hub.address, "--sidecars", str(fleet.sidecars), "--model", model]
    child = subprocess.Popen(
        [*command, "--flapping", str(fleet.flapping)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT / "tests")},
    )
    try:
        yield Reporters(child)
    finally:
        child.kill()
        child.wait()
