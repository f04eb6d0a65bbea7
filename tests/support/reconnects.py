"""A fleet loses its hub and comes back, with other keys and pods that left meanwhile: measured."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trustme

from support.counted_cluster import CountedCluster, counted_cluster
from support.eventually import eventually
from support.free_port import free_port
from support.hub_process import HubProcess
from support.returning_fleet import ReturningFleet
from support.tree import ROOT

FIRST_WITHIN_S = 300.0
BACK_WITHIN_S = 90.0
"""Beyond it the measurement is given up; the promise is 30 s."""


@dataclass
class Returned:
    """What was seen."""

    streams: int
    first_s: float
    """From the hub's start to the last stream, at the beginning."""
    back_s: float
    """The same after the restart."""
    reviews: int
    most_reviews_in_a_second: int
    gone_refused_s: float
    """From the hub's restart until a pod that was deleted meanwhile was refused."""
    deleted_refused_s: float
    """From a pod's deletion until its token was refused."""


async def measure(folder: Path, streams: int) -> Returned:
    """Run it all with so many streams."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "tls.crt", append=number > 0)
    authority.cert_pem.write_to_path(folder / "ca.crt")
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    with counted_cluster() as cluster:
        fleet = ReturningFleet(cluster, streams, trust)
        hub = _hub(folder, cluster)
        try:
            return await _run(cluster, fleet, hub)
        finally:
            await fleet.close()
            if hub.running:
                hub.kill()


async def _run(cluster: CountedCluster, fleet: ReturningFleet, hub: HubProcess) -> Returned:
    await asyncio.to_thread(hub.start)
    began = time.monotonic()
    fleet.follow(hub.address)
    first_s = await fleet.until_back(FIRST_WITHIN_S) - began
    hub.kill()
    # The hub's kept keys do not know this one, and half of the fleet's tokens are signed by it.
    cluster.rotate()
    for member in fleet.members[::2]:
        member.token = cluster.token(member.uid)
    gone, deleted = fleet.members[0], fleet.members[1]
    cluster.remove(gone.uid)
    await _until(lambda: fleet.connected() == 0)
    cluster.reviews.clear()
    await asyncio.to_thread(hub.start)
    began = time.monotonic()
    refusing = asyncio.create_task(asyncio.to_thread(_refused_at, hub, gone.token))
    back_s = await fleet.until_back(BACK_WITHIN_S, but=frozenset({gone.uid})) - began
    gone_refused_s = await refusing - began
    cluster.remove(deleted.uid)
    removed = time.monotonic()
    deleted_refused_s = await asyncio.to_thread(_refused_at, hub, deleted.token) - removed
    return Returned(
        streams=len(fleet.members),
        first_s=round(first_s, 1),
        back_s=round(back_s, 1),
        reviews=len(cluster.reviews),
        most_reviews_in_a_second=cluster.most_reviews_in_a_second(),
        gone_refused_s=round(gone_refused_s, 1),
        deleted_refused_s=round(deleted_refused_s, 1),
    )


def _hub(folder: Path, cluster: CountedCluster) -> HubProcess:
    options = ["--cluster", "--controller", "home/controller", "--log-level", "warning"]
    options += ["--kubeconfig", str(cluster.kubeconfig(folder))]
    options += ["--tls-cert", str(folder / "tls.crt"), "--tls-key", str(folder / "tls.key")]
    # The same address after the restart: the later option wins.
    return HubProcess(folder, [*options, "--listen", f"127.0.0.1:{free_port()}"])


async def _until(condition: Callable[[], object], within_s: float = BACK_WITHIN_S) -> None:
    await asyncio.to_thread(eventually, condition, within_s)


def _refused_at(hub: HubProcess, token: str) -> float:
    """When the hub lets the token's bearer speak no longer (monotonic); waits for it."""
    command = [sys.executable, "-P", "-m", "support.refusal_probe", "--ca"]
    command += [str(hub.folder / "ca.crt"), "--port", hub.address.rpartition(":")[2]]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        [*command, "--within-s", str(BACK_WITHIN_S)],
        input=token,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return float(done.stdout)
