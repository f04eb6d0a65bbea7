"""Where the sidecar's own time goes: the stages that its decision records show.

Records hold whole microseconds. Both ends of a stage are cut off alike, so the mean over many
calls is right to a fraction of one.
"""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from statistics import fmean

from bench.machine import BenchError
from bench.targets import CHAT, Target

REQUESTS = 400
PAUSE_S = 0.025
"""Slow enough that every record is kept: successes above 50 a second are sampled."""
FOUND_SHARE_MIN = 0.9
_TRIMMED_SHARE = 0.1
"""On each side: a call that was interrupted says nothing about its stages."""


def stage_means_us(target: Target, debug: str, bodies: Path) -> dict[str, float]:
    """Trimmed mean of each stage, in microseconds; waits for the model are left out."""
    lines = bodies.read_text().splitlines()[:REQUESTS]
    connection = http.client.HTTPConnection(target.address, timeout=10)
    ids = [_request_id(connection, line) for line in lines]
    connection.close()
    pages = http.client.HTTPConnection(debug, timeout=10)
    records = [record for each in ids if (record := _record(pages, each)) is not None]
    pages.close()
    if len(records) < FOUND_SHARE_MIN * len(lines):
        raise BenchError(f"only {len(records)} of {len(lines)} decisions are in the ring")
    stages = [record["stage_us"] for record in records]
    names = sorted(set(stages[0]) - {"upstream", "total"})
    return {name: trimmed_mean([stage[name] for stage in stages]) for name in names}


def trimmed_mean(values: list[int]) -> float:
    """The mean without the outermost values of both sides."""
    cut = int(len(values) * _TRIMMED_SHARE)
    return fmean(sorted(values)[cut : len(values) - cut])


def _request_id(connection: http.client.HTTPConnection, body: str) -> str:
    time.sleep(PAUSE_S)
    connection.request("POST", CHAT, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    found = answer.getheader("x-pointsman-request-id")
    if answer.status != http.client.OK or found is None:
        raise BenchError(f"the sidecar answered {answer.status} without a decision")
    return found


def _record(pages: http.client.HTTPConnection, request_id: str) -> dict[str, dict[str, int]] | None:
    pages.request("GET", f"/debug/decisions/{request_id}")
    answer = pages.getresponse()
    body = answer.read()
    found: dict[str, dict[str, int]] | None = None
    if answer.status == http.client.OK:
        found = json.loads(body)
    return found
