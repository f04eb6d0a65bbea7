"""Memory: many large requests at once, at the limit that injection sets by default."""

from __future__ import annotations

from collections import Counter

import pytest

from harness import apps
from harness.installation import Installation
from harness.memory import ContainerMemory
from harness.provider import Provider
from support.eventually import eventually
from support.money_world import say

pytestmark = pytest.mark.timeout(600)

CALLS, MEGABYTES = 64, 10
FLOOD = (apps.PROGRAMS / "flood.py").read_text()
REFUSED = "503 overloaded 1"
"""Status, code and Retry-After."""
FITTING = 10
"""Bodies that 40 % of the limit hold: these at least are answered."""
MIB = 1 << 20


def test_64_concurrent_bodies_of_10_mb_kill_nobody(
    installed: Installation, restricted: str
) -> None:
    """Each call is answered or refused with Retry-After; the kernel kills nothing."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    pool, *others = apps.three(restricted, simulated.url, amount="5000")
    pool["spec"]["models"][0]["capabilities"] = ["chat", "vision"]
    kubectl.apply(pool, *others, apps.app())
    apps.annotate(kubectl)
    kubectl("wait", "--for=condition=Ready", "rpol/support", "--timeout=180s")
    (pod,) = apps.running(kubectl)
    router = apps.router(pod)
    assert router is not None
    memory = ContainerMemory(installed.cluster, router["containerID"])
    assert memory.limit_bytes() == 256 * MIB
    call = ("python3", "-c", FLOOD, str(CALLS), str(MEGABYTES))
    said = Counter(kubectl.exec("deployment/app", *call, container="app").splitlines())
    peak, resident = memory.peak_bytes() / MIB, memory.peak_rss_bytes() / MIB
    say(f"{said}: peak {peak:.0f} MiB charged, {resident:.0f} MiB resident")
    assert memory.oom_kills() == 0
    assert said["200"] + said[REFUSED] == CALLS
    assert said["200"] >= FITTING
    assert apps.chat(kubectl) == ["sim-m0"]
    (after,) = apps.running(kubectl)
    status = apps.router(after)
    assert status is not None
    assert status["restartCount"] == 0
    eventually(lambda: apps.condition(kubectl, "rpol/support", "Programmed")[0] == "True", 30)
