"""One process that reports for many sidecars, some of which find a target down by turns.

A child of `flapping_health`. They share some connections, on which reports follow each other: real
ones open one for most reports, whose cost `lease-holders` measures. Ends with its input, and says
how many reports it sent a second and how long they took.
"""

from __future__ import annotations

import argparse
import heapq
import http.client
import json
import random
import ssl
import sys
import threading
import time
from pathlib import Path

CONNECTIONS = 8
PHASE_S, QUIET_S = 3.0, 30.0
MODELS_BESIDE = 4
JSON = {"content-type": "application/json"}


class Speaker(threading.Thread):
    """Reports in turn for some of the sidecars, on one connection."""

    def __init__(self, arguments: argparse.Namespace, first: int) -> None:
        super().__init__(daemon=True)
        context = ssl.create_default_context(cafile=str(arguments.folder / "tls.crt"))
        port = int(arguments.address.rpartition(":")[2])
        self._http = http.client.HTTPSConnection("localhost", port, timeout=120, context=context)
        token = (arguments.folder / "token").read_text().strip()
        self._headers = {"authorization": f"Bearer {token}", **JSON}
        self._model: str = arguments.model
        self._flapping: int = arguments.flapping
        self._down: set[int] = set()
        randoms = random.Random(first)
        # The first two speak for the other target alone, and are heard of apart.
        own = [number for number in range(first, arguments.sidecars, CONNECTIONS) if number > 1]
        self._due = [
            (randoms.uniform(0, PHASE_S if number < self._flapping else QUIET_S), number)
            for number in own
        ]
        heapq.heapify(self._due)
        self.waits_ms: list[float] = []

    def run(self) -> None:
        """For ever."""
        began = time.monotonic()
        while self._due:
            due, number = heapq.heappop(self._due)
            time.sleep(max(0.0, began + due - time.monotonic()))
            sent = time.monotonic()
            self._report(number)
            self.waits_ms.append((time.monotonic() - sent) * 1000)
            pause = PHASE_S if number < self._flapping else QUIET_S
            heapq.heappush(self._due, (due + pause, number))

    def _report(self, number: int) -> None:
        falls = number < self._flapping and number not in self._down
        (self._down.add if falls else self._down.discard)(number)
        targets = {f"main/m{place}": "Closed" for place in range(MODELS_BESIDE)}
        said = {
            "sidecar": f"s{number}",
            "boot": "1",
            "version": "0.1.0",
            "ledger": "ok",
            "targets": {**targets, self._model: "Open" if falls else "Closed"},
            "credentials": {"pointsman-credentials/openai": "ok"},
            "records": [],
        }
        if falls:
            said["outages"] = {self._model: {"class": "Connect", "for_ms": 900, "failed_ms": 100}}
        else:
            said["answered"] = {self._model: 200}
        self._http.request("POST", "/v1/reports", json.dumps(said).encode(), self._headers)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{answer.status} {content[:200]!r}")


def main() -> int:
    """Report until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--sidecars", type=int, required=True)
    parser.add_argument("--flapping", type=int, required=True)
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    speakers = [Speaker(arguments, first) for first in range(CONNECTIONS)]
    began = time.monotonic()
    for speaker in speakers:
        speaker.start()
    sys.stdin.read()
    if not all(speaker.is_alive() for speaker in speakers):
        return 1  # one has said why
    waits_ms = sorted(wait for speaker in speakers for wait in speaker.waits_ms)
    rate = len(waits_ms) / (time.monotonic() - began)
    told = {"rate": rate, "p99_ms": waits_ms[len(waits_ms) * 99 // 100]}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
