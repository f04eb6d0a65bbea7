"""Controller, hub, API server away: calls go on, and afterwards everything recovers by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import apps, outage
from harness.fixtures import fresh_namespace
from harness.installation import Installation
from harness.kubectl import Kubectl, KubectlError
from harness.pods import RESTRICTED
from harness.provider import Provider
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

CALLING = (apps.PROGRAMS / "calling.py").read_text()
MONEY = (apps.PROGRAMS / "leased.py").read_text()
RESOURCES = ("mpool/main", "rpol/support", "bud/team")
CALLS = 10
"""In each outage: a second and more, one after another."""


class Caller:
    """A pod that calls on and on, followed by its log on the node: that needs no API server."""

    def __init__(self, installed: Installation, namespace: str, pod: str, uid: str) -> None:
        self._cluster = installed.cluster
        self._kubectl = installed.cluster.kubectl.within(namespace)
        self._pod = pod
        self._log = Path("/var/log/pods") / f"{namespace}_{pod}_{uid}" / "app" / "0.log"
        self._marks: list[tuple[float, str]] = []
        """Moments of the test, for the message where a call was refused."""

    def said(self) -> list[tuple[float, str]]:
        """When each call so far ended, and the model or what the SDK raised."""
        lines = (line.split(maxsplit=4) for line in self._log_lines())
        return [(float(parts[3]), parts[4]) for parts in lines]

    def goes_on(self) -> None:
        """Return when some calls more were answered."""
        before = len(self.said())
        eventually(lambda: len(self.said()) >= before + CALLS, 60)
        self.check()

    def check(self) -> None:
        """No call so far has failed; else say which, and when."""
        said = self.said()
        failed = [(at, what) for at, what in said if what != "sim-m0"]
        first = said[0][0]
        told = sorted([*self._marks, *failed[:CALLS]])
        lines = [f"{at - first:7.1f} s  {what}" for at, what in told]
        assert not failed, f"{len(failed)} of {len(said)} calls failed:\n" + "\n".join(lines)

    def mark(self, what: str) -> None:
        """Keep the moment, and where the leased money is: before something goes."""
        money = self._kubectl.exec(self._pod, "python3", "-c", MONEY, container="app").strip()
        self._marks.append((time.time(), f"{what}: {money}"))

    def _log_lines(self) -> list[str]:
        return self._cluster.on_node("cat", self._log).splitlines()


def test_controller_hub_and_api_server_down_in_turn_and_all_at_once(
    installed: Installation, restricted: str
) -> None:
    """Under `SpendLease` not one call fails; afterwards status is true, and edits arrive."""
    kubectl = installed.cluster.kubectl.within(restricted)
    simulated = Provider(installed.cluster, restricted)
    kubectl.apply(*apps.three(restricted, simulated.url))
    kubectl.apply(apps.asking(apps.app(program=CALLING)))
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    (pod,) = apps.running(kubectl)
    caller = Caller(installed, restricted, pod["metadata"]["name"], pod["metadata"]["uid"])
    caller.goes_on()
    kubectl("wait", "--for=condition=Ready", *RESOURCES, "--timeout=180s")
    caller.mark("controller goes")
    with outage.scaled_down(installed, outage.CONTROLLER):
        caller.goes_on()
    caller.mark("API server goes")
    with outage.without_api_server(installed):
        caller.goes_on()
    ledger = _condition(kubectl, "LedgerAvailable")
    caller.mark("hub goes")
    with outage.scaled_down(installed, outage.HUB):
        caller.goes_on()
        eventually(lambda: ledger() == ("False", "HubUnreachable"), 60, told=ledger)
    eventually(lambda: ledger() == ("True", "LedgerAvailable"), 90)
    caller.mark("all go")
    with (
        outage.scaled_down(installed, outage.CONTROLLER, outage.HUB),
        outage.without_api_server(installed),
    ):
        caller.goes_on()
    caller.mark("all are back")
    kubectl.apply(*apps.three(restricted, simulated.url, amount="4"))
    eventually(lambda: _seen(kubectl), 90)
    kubectl("wait", "--for=condition=Ready", *RESOURCES, "--timeout=180s")
    caller.goes_on()
    assert apps.restarts(*apps.running(kubectl)) == 0
    found = kubectl.json("get", "bud/team")
    assert found["spec"]["enforcement"]["onLedgerUnavailable"] == "SpendLease"


@dataclass
class Away:
    """A namespace with a hub that is gone; `free` is in no Budget, `bound` in one that enforces."""

    installed: Installation
    kubectl: Kubectl
    outage: ExitStack


@pytest.fixture(scope="module")
def away(installed: Installation) -> Iterator[Away]:
    """Both apps have called once when the hub goes."""
    with (
        fresh_namespace(installed.cluster, "hub at zero replicas", RESTRICTED) as namespace,
        ExitStack() as stack,
    ):
        kubectl = installed.cluster.kubectl.within(namespace)
        simulated = Provider(installed.cluster, namespace)
        pool, policy, budget = apps.three(namespace, simulated.url)
        budget["spec"]["subject"] = {"workloads": ["bound"]}
        kubectl.apply(pool, policy, budget)
        for name in ("free", "bound"):
            kubectl.apply(apps.asking(apps.app(name)))
        for name in ("free", "bound"):
            kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s")
        kubectl("wait", "--for=condition=Ready", *RESOURCES, "--timeout=180s")
        for name in ("free", "bound"):
            # kube-proxy may still be on its way to the provider's Service after the outage before.
            eventually(lambda name=name: apps.answered(kubectl, f"deployment/{name}"), 60)  # type: ignore[misc]
        stack.enter_context(outage.scaled_down(installed, outage.HUB))
        yield Away(installed, kubectl, stack)


def test_without_a_hub_the_app_scales_and_a_killed_sidecar_returns(away: Away) -> None:
    """New pods take their table from the ConfigMap, a restarted container the one that it had."""
    kubectl = away.kubectl
    (first,) = _names(kubectl, "free")
    kubectl("scale", "deployment/free", "--replicas=3")
    kubectl("rollout", "status", "deployment/free", "--timeout=180s")
    for name in _names(kubectl, "free"):
        assert apps.chat(kubectl, where=name) == ["sim-m0"]
    _kill_sidecar(away, first)
    eventually(lambda: apps.answered(kubectl, first), 60)


def test_without_a_hub_a_job_in_no_budget_completes(away: Away) -> None:
    """Its only call comes at once."""
    away.kubectl.apply(apps.job("once"))
    away.kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=180s")
    assert " sim-m0 " in away.kubectl.logs("job/once", "app")


def test_without_a_hub_a_restarted_container_goes_on_with_its_lease(away: Away) -> None:
    """`SpendLease`: the journal outlives the container."""
    (first,) = _names(away.kubectl, "bound")
    _kill_sidecar(away, first)
    eventually(lambda: apps.answered(away.kubectl, first), 60)


def test_without_a_hub_a_new_pod_is_refused_in_the_ledgers_name(away: Away) -> None:
    """`SpendLease`: who has a lease goes on with it, who comes now gets the native error."""
    kubectl = away.kubectl
    (first,) = _names(kubectl, "bound")
    kubectl("scale", "deployment/bound", "--replicas=2")
    kubectl("rollout", "status", "deployment/bound", "--timeout=180s")
    (second,) = set(_names(kubectl, "bound")) - {first}
    with pytest.raises(KubectlError) as raised:
        apps.chat(kubectl, where=second)
    assert "openai.RateLimitError" in raised.value.output
    assert "ledger" in raised.value.output
    assert apps.chat(kubectl, where=first) == ["sim-m0"]


def test_when_the_hub_is_back_the_new_pod_has_its_lease(away: Away) -> None:
    """The last of these: the outage ends here."""
    away.outage.close()
    for name in _names(away.kubectl, "bound"):
        eventually(lambda at=name: apps.answered(away.kubectl, at), 90)  # type: ignore[misc]
    away.kubectl("wait", "--for=condition=Ready", *RESOURCES, "--timeout=180s")


def _names(kubectl: Kubectl, app: str) -> list[str]:
    return [str(pod["metadata"]["name"]) for pod in apps.running(kubectl, app)]


def _kill_sidecar(away: Away, pod: str) -> None:
    namespace = away.kubectl.json("get", "pod", pod)["metadata"]["namespace"]
    away.installed.cluster.kill_container(namespace, pod, "pointsman")
    eventually(lambda: apps.restarts(away.kubectl.json("get", "pod", pod)) == 1, 60)


def _condition(kubectl: Kubectl, kind: str) -> Callable[[], tuple[str, str]]:
    return lambda: apps.condition(kubectl, "bud/team", kind)


def _seen(kubectl: Kubectl) -> bool:
    """Whether the status is about the Budget as it is now."""
    found = kubectl.json("get", "bud/team")
    conditions = found.get("status", {}).get("conditions", ())
    now = found["metadata"]["generation"]
    return bool(conditions) and all(it["observedGeneration"] == now for it in conditions)
