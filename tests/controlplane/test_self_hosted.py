"""Self-hosted models from resources to answers: full, asleep, gone, and no call fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness import apps
from harness.control_plane import ControlPlane
from support import resources as make
from support.engine_process import EngineProcess, crowd
from support.eventually import eventually
from support.free_port import free_port
from support.line import Line
from support.money_world import CLOCK
from support.processes import ended
from support.whole_path import API, Installation, whole_path

pytestmark = pytest.mark.timeout(300)
LABELS = {"app": "vllm"}
WITHIN_S = 40.0


@pytest.fixture
def installation(crds: ControlPlane, tmp_path: Path) -> Iterator[Installation]:
    """Hub and controller, under the rights that the chart gives."""
    clock = tmp_path / CLOCK
    clock.write_text("0")
    with whole_path(crds, tmp_path, clock) as made:
        yield made


def test_engines_fill_sleep_and_vanish_and_no_call_fails(
    installation: Installation, namespace: str, tmp_path: Path
) -> None:
    """Two simulated vLLM, a provider behind them: each trouble shows in answers and status."""
    port = free_port()
    with ExitStack() as stack:
        first, second = (
            EngineProcess(tmp_path / host, host, port) for host in ("127.0.0.2", "127.0.0.3")
        )
        stack.enter_context(ended(first, second))
        for name, engine in (("v1", first), ("v2", second)):
            _pod(installation, namespace, name, engine.host)
        made = stack.enter_context(installation.sidecar(tmp_path, namespace, "shop-1"))
        kubectl = installation.plane.kubectl.within(namespace)
        kubectl.apply(*_resources(namespace, port, made.url("a")))
        eventually(lambda: _answers(made) == "main/own", WITHIN_S)
        assert made.chat().headers["x-pointsman-cost"] == "0"
        kubectl("wait", "--for=condition=Ready", "mpool/main", "rpol/support", "--timeout=30s")
        with _calling(made) as failed:
            with crowd(first, second):
                eventually(lambda: _answers(made) == "main/m0", WITHIN_S)
                eventually(lambda: _capacity(installation, namespace) == "Saturated", WITHIN_S)
            eventually(lambda: _answers(made) == "main/own", WITHIN_S)
            eventually(lambda: _capacity(installation, namespace) == "HasCapacity", WITHIN_S)
            first.tell("/sleep?level=2")
            eventually(lambda: _endpoints(installation, namespace) == "1/2", WITHIN_S)
            asleep, awake = first.calls(), second.calls()
            eventually(lambda: second.calls() > awake + 20, WITHIN_S)
            assert first.calls() == asleep
            second.kill()
            installation.hub.delete_pod(namespace, "v2")
            eventually(lambda: _capacity(installation, namespace) == "Asleep", WITHIN_S)
            eventually(lambda: _answers(made) == "main/m0", WITHIN_S)
            first.tell("/wake_up")
            eventually(lambda: _answers(made) == "main/own", WITHIN_S)
            installation.hub.delete_pod(namespace, "v1")
            resolved = ("modelpools/main", "EndpointsResolved")
            missing = ("False", "EndpointsMissing")
            eventually(lambda: installation.condition(namespace, *resolved) == missing, WITHIN_S)
            eventually(lambda: _answers(made) == "main/m0", WITHIN_S)
        assert failed == []


def _resources(namespace: str, port: int, fallback: str) -> list[dict[str, Any]]:
    own = make.own(
        "own",
        {"podSelector": {"matchLabels": LABELS, "port": port}},
        engine="vLLM",
        saturation={"maxQueue": 2},
        cost={"gpuHour": "2", "amortise": "Reserved"},
    )
    candidates = [{"model": "main/own"}, {"model": "main/m0", "priority": 1}]
    # No call outlasts it: one that waits at an engine that sleeps or is gone goes on by itself.
    timeouts = {"firstToken": "5m"}
    route = {"strategy": "Failover", "candidates": candidates, "timeouts": timeouts}
    place = {"namespace": namespace}
    return [
        make.pool(own, apps.model("m0", f"{fallback}/v1"), **place),
        make.policy({"name": "all", "route": route}, **place),
    ]


def _pod(installation: Installation, namespace: str, name: str, address: str) -> None:
    """A pod of the engines, as the kubelet would tell of it."""
    installation.hub.pod(namespace, name, **LABELS)
    ready = [{"type": "Ready", "status": "True"}]
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
    installation.plane.api.merge(path, {"status": status | {"conditions": ready}})


@contextmanager
def _calling(made: Line) -> Iterator[list[str]]:
    """An app that calls on and on; what went wrong."""
    failed: list[str] = []
    ending = threading.Event()

    def call() -> None:
        while not ending.wait(0.02):
            try:
                # One that is on its way when its engine falls asleep must not hang.
                answer = made.chat(max_tokens=20)
            except httpx.HTTPError as error:
                failed.append(repr(error))
                continue
            if answer.status_code != 200:
                failed.append(f"{answer.status_code} {answer.text}")

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield failed
    finally:
        ending.set()
        thread.join()


def _answers(made: Line) -> str:
    """The model that answers a call."""
    return str(made.chat().headers.get("x-pointsman-model", ""))


def _capacity(installation: Installation, namespace: str) -> str:
    return installation.condition(namespace, "modelpools/main", "HasCapacity")[1]


def _endpoints(installation: Installation, namespace: str) -> str:
    pool = installation.plane.api.get(f"{API}/{namespace}/modelpools/main")
    return str(pool.get("status", {}).get("endpoints", ""))
