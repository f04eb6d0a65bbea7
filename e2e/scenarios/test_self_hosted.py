"""Self-hosted models in pods: engines that fill, sleep, restart and vanish while an app calls."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness import apps, engines
from harness.calls import Calls, short_calls
from harness.engines import Engine, Llama, Simulated
from harness.installation import Installation
from harness.kubectl import Kubectl
from harness.provider import Provider
from support import resources
from support.eventually import eventually
from support.money_world import say

pytestmark = pytest.mark.timeout(600)

POOL, BUDGET = "mpool/main", "bud/team"
PROVIDER = "sim-m0"
PRICES = {PROVIDER: ("0.25e-6", "2e-6"), "vllm": ("0", "0"), "smollm2": ("1e-6", "1e-6")}
"""Dollars for a token in and out, by the name that answers bear."""
RESERVED = {"gpuHour": "2", "amortise": "Reserved"}
USED = {"gpuHour": "3.6", "amortise": "Usage", "tokensPerSecond": 1000}
QUEUE = 3
FULL = {"maxQueue": QUEUE, "maxFirstToken": "1s"}
FIRST_TOKEN = "8s"  # noqa: S105 - a duration
NEARLY_FREE = 0.1


def test_engines_fill_in_either_way_sleep_restart_and_vanish_and_no_call_fails(
    installed: Installation, restricted: str, tmp_path: Path
) -> None:
    """Two simulated vLLM by their label, the hours paid for; the Budget pays what overflows."""
    kubectl = installed.cluster.kubectl.within(restricted)
    queueing = Simulated(kubectl, "queueing", "vllm", slots=2, kvTokens=65_536, stepMs=50)
    slow = Simulated(kubectl, "slow", "vllm", slots=64, admitMs=200, stepMs=50)
    found = {"podSelector": {"matchLabels": {engines.SERVES: "vllm"}, "port": engines.PORT}}
    own = resources.own("own", found, engine="vLLM", saturation=FULL, cost=RESERVED)
    app = _start(installed, restricted, own, queueing, slow)
    with short_calls(kubectl, app, tmp_path / "plain") as calls:
        calls.reach("vllm")
        _wait_for(kubectl, endpoints="2/2", EndpointsResolved="EndpointsResolved")
        streams = _fill(kubectl, app, tmp_path, calls, queueing, slow)
        _send_to_sleep(kubectl, calls, slow)
        installed.cluster.kill_container(restricted, queueing.pod, queueing.name)
        again = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1"
        kubectl("wait", again, f"pod/{queueing.pod}", "--timeout=60s")
        queueing.wait()
        _wait_for(kubectl, endpoints="2/2")
        eventually(lambda: queueing.calls() > 0, 60)
        kubectl("delete", "deployment", queueing.name)
        _wait_for(kubectl, endpoints="1/1")
        calls.reach("vllm")
        kubectl("delete", "deployment", slow.name)
        _wait_for(kubectl, EndpointsResolved="EndpointsMissing")
        assert {*calls.go_on()} == {PROVIDER}
    say(f"plain: {calls}; streamed: {streams}")
    assert {*calls.models(), *streams.models()} == {"vllm", PROVIDER}
    cost = calls.cost(PRICES) + streams.cost(PRICES)
    eventually(lambda: _spent(kubectl) == cost, 60)


def test_a_real_engine_that_is_full_overflows_and_takes_calls_again(
    installed: Installation, restricted: str, tmp_path: Path
) -> None:
    """A llama.cpp server behind a Service, paid by use; others fill its two slots for a while."""
    kubectl = installed.cluster.kubectl.within(restricted)
    installed.cluster.load(engines.llama_image())
    llama = Llama(kubectl)
    found = {"service": {"name": llama.name, "port": 80}}
    full = {"maxQueue": 2, "maxFirstToken": "1m"}
    own = resources.own("own", found, saturation=full, cost=USED)
    app = _start(installed, restricted, own, llama)
    with short_calls(kubectl, app, tmp_path / "before") as before:
        before.reach("smollm2")
        assert {*before.go_on()} == {"smollm2"}
    eventually(lambda: _spent(kubectl) == before.cost(PRICES), 60)
    with short_calls(kubectl, app, tmp_path / "calls") as calls:
        with llama.crowd(tmp_path / "crowd", callers=5, tokens=300):
            calls.reach(PROVIDER)
            _wait_for(kubectl, HasCapacity="Saturated")
            assert {*calls.go_on()} == {PROVIDER}
            figures = llama.figures()
            assert figures.running == 2
            assert (figures.waiting or 0) >= 2
        calls.reach("smollm2")
        _wait_for(kubectl, HasCapacity="HasCapacity", endpoints="1/1")
    say(f"before: {before}; then: {calls}")
    assert {*calls.models()} == {"smollm2", PROVIDER}


def _start(installed: Installation, namespace: str, own: dict[str, Any], *serving: Engine) -> str:
    """An app whose calls go to engines first, else to a provider; the name of its pod."""
    kubectl = installed.cluster.kubectl.within(namespace)
    own["selfHosted"]["servedModelName"] = serving[0].model
    kubectl.apply(*(document for each in serving for document in each.documents()))
    provider = Provider(installed.cluster, namespace)
    route = {
        "strategy": "Failover",
        "candidates": [{"model": "main/own"}, {"model": "main/m0", "priority": 1}],
        "timeouts": {"firstToken": FIRST_TOKEN},
    }
    place = {"namespace": namespace}
    kubectl.apply(
        resources.pool(own, apps.model("m0", provider.url), **place),
        resources.policy({"name": "all", "route": route}, **place),
        resources.budget(**place),
        apps.asking(apps.app()),
    )
    for each in serving:
        each.wait()
    kubectl("rollout", "status", apps.APP, "--timeout=120s")
    kubectl("wait", "--for=condition=Ready", "rpol/support", POOL, BUDGET, "--timeout=60s")
    (pod,) = apps.running(kubectl)
    return str(pod["metadata"]["name"])


def _fill(
    kubectl: Kubectl, app: str, folder: Path, calls: Calls, queueing: Engine, slow: Engine
) -> Calls:
    """Both engines are full, each in its way, for a while; the streams that saw it."""
    with ExitStack() as ending:
        crowds = ExitStack()
        ending.enter_context(crowds)
        crowds.enter_context(queueing.crowd(folder / "queue", callers=8, tokens=4_000))
        crowds.enter_context(slow.crowd(folder / "front", callers=20, tokens=8))
        said = folder / "streamed"
        streams = ending.enter_context(short_calls(kubectl, app, said, "streamed"))
        calls.reach(PROVIDER)
        streams.reach(PROVIDER)
        _wait_for(kubectl, HasCapacity="Saturated")
        assert (queueing.figures().waiting or 0) >= QUEUE
        blind = slow.figures()
        assert blind.waiting == 0
        assert blind.kv is not None
        assert blind.kv < NEARLY_FREE
        crowds.close()
        calls.reach("vllm")
        streams.reach("vllm")
        _wait_for(kubectl, HasCapacity="HasCapacity")
    return streams


def _send_to_sleep(kubectl: Kubectl, calls: Calls, sleeper: Simulated) -> None:
    """The sleeper gets no call once its sleep is known; woken, it is one of two again."""
    sleeper.tell("/sleep?level=1")
    _wait_for(kubectl, endpoints="1/2")
    # One that went there before it was known is answered by the other in the end.
    calls.go_on()
    known = sleeper.calls()
    assert {*calls.go_on(10)} == {"vllm"}
    assert sleeper.calls() == known
    sleeper.tell("/wake_up")
    _wait_for(kubectl, endpoints="2/2")


def _wait_for(kubectl: Kubectl, endpoints: str = "", **reasons: str) -> None:
    """Return when the pool's status says so: `endpoints`, and reasons by their conditions."""
    wanted = {"{.status.endpoints}": endpoints} if endpoints else {}
    for kind, reason in reasons.items():
        wanted[f'{{.status.conditions[?(@.type=="{kind}")].reason}}'] = reason
    for path, text in wanted.items():
        kubectl("wait", f"--for=jsonpath={path}={text}", POOL, "--timeout=90s")


def _spent(kubectl: Kubectl) -> Decimal:
    return Decimal(kubectl("get", BUDGET, "-o", "jsonpath={.status.worst.spent}") or 0)
