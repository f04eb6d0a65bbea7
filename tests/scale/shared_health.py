"""A provider that goes down and comes back before a fleet that tells itself of it.

Ten sidecars on one hub, each asked ten times a second; the preferred provider refuses every call
for twenty seconds. Judged are what apps saw, what the records say of attempts, and the metrics'
count of those that failed.
"""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from scale.rows import Row
from scale.size import Size
from scale.watched import load
from support.health_world import DEAD, HealthWorld, Member, Seen, health_world, steadily
from support.processes import CLIENT

NAME, SECONDS = "shared-health", 60
SIDECARS, BEFORE_S, DOWN_S, AFTER_S = 10, 5.0, 20.0, 15.0
RETURN_S, ATTEMPTS, RETRIED_PERCENT, GOODPUT_PERCENT = 10.0, 3, 20.0, 95.0


def measure(folder: Path, size: Size) -> list[Row]:
    """`SIDECARS x size.share` of them, at one steady rate through all of it."""
    with health_world(folder, max(3, int(SIDECARS * size.share))) as world:
        began_s = time.monotonic()
        down_s = began_s + BEFORE_S
        up_s = down_s + DOWN_S
        world.everyone(steadily(down_s))
        world.a.script(DEAD)
        failed = sum(map(_failed, world.members))
        world.everyone(steadily(up_s))
        down = world.down()
        assert [row["model"] for row in down] == ["a"], f"nobody was told: {down}"
        failed = sum(map(_failed, world.members)) - failed
        world.a.script()
        recovered_s = time.monotonic()
        world.everyone(steadily(recovered_s + AFTER_S))
        return _rows(world, down_s, recovered_s, failed)


def _rows(world: HealthWorld, down_s: float, recovered_s: float, failed: int) -> list[Row]:
    seen = [call for member in world.members for call in member.seen]
    during = [call for call in seen if down_s <= call.at_s < recovered_s]
    after = [call for call in seen if recovered_s <= call.at_s < recovered_s + RETURN_S]
    backs = [_back_s(member, recovered_s) for member in world.members]
    most = max(
        _attempts(member, call.id) for member in world.members for call in member.seen[-250:]
    )
    told = f"{len(world.members)} sidecars, {len(during) / DOWN_S:.0f} calls/s; load {load()}"
    share = 100 * failed / len(during)
    return [
        Row(
            NAME,
            "back_last",
            max(backs),
            "s",
            f"recovery until the last one is back for good; {told}",
            at_most=RETURN_S,
        ),
        Row(
            NAME,
            "goodput_after",
            _good(after),
            "%",
            "of calls in the ten seconds from it",
            at_least=GOODPUT_PERCENT,
        ),
        Row(
            NAME,
            "goodput_during",
            _good(during),
            "%",
            "while it was down",
            at_least=GOODPUT_PERCENT,
        ),
        Row(
            NAME,
            "failed_attempts",
            share,
            "%",
            f"of {len(during)} calls while it was down",
            at_most=RETRIED_PERCENT,
        ),
        Row(NAME, "attempts_most", most, "", "of one call", at_most=ATTEMPTS),
    ]


def _good(calls: list[Seen]) -> float:
    return 100 * sum(call.ok for call in calls) / len(calls)


def _back_s(member: Member, recovered_s: float) -> float:
    """How long after the recovery its last call was answered elsewhere."""
    elsewhere = [call.at_s for call in member.seen if call.model != "main/a"]
    return max(0.0, max(elsewhere, default=recovered_s) - recovered_s)


def _failed(member: Member) -> int:
    """Attempts that failed since its start."""
    lines = CLIENT.get(f"{member.sidecar.admin_url}/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith("pointsman_attempts_total{")]
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)


def _attempts(member: Member, request: str) -> int:
    answer = CLIENT.get(f"{member.sidecar.admin_url}/debug/decisions/{request}")
    found = answer.json()["attempts"] if answer.status_code == httpx.codes.OK else []
    return len(found)
