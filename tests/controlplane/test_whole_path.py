"""Controller, hub and sidecar as real processes around a real API server: resources to answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import apps
from harness.control_plane import ControlPlane
from support.controllers import ControllerProcess, controller, make_home
from support.eventually import eventually
from support.hub_in_cluster import HubInCluster, hub_in_cluster
from support.line import Line, line
from support.money_world import CLOCK, MOVED_HUB, move_clock
from support.resources import budget, policy, pool, rule, self_hosted

pytestmark = pytest.mark.timeout(240)
API = "/apis/pointsman.dev/v1alpha1/namespaces"
RUNS = {"pointsman.dev/injected": "true", "app": "shop"}


@dataclass
class Installation:
    """Everything but a kubelet: the pod exists, its sidecar runs here."""

    plane: ControlPlane
    hub: HubInCluster
    controller: ControllerProcess

    @contextmanager
    def sidecar(self, folder: Path, namespace: str, name: str) -> Iterator[Line]:
        """A pod's router, with the pod's own token and labels."""
        pod = self.hub.pod(namespace, name, **RUNS)
        token, labels = folder / "pod-token", folder / "labels"
        token.write_text(self.hub.pod_token(namespace, pod))
        labels.write_text("".join(f'{key}="{value}"\n' for key, value in RUNS.items()))
        with line(
            folder,
            "a",
            build=lambda _: None,
            POINTSMAN_HUB_URL=self.hub.url,
            POINTSMAN_HUB_TOKEN_FILE=str(token),
            POINTSMAN_LABELS_FILE=str(labels),
            POINTSMAN_SIDECAR=pod["uid"],
            POINTSMAN_POD=name,
            POINTSMAN_NAMESPACE=namespace,
            POINTSMAN_WORKLOAD="shop",
        ) as made:
            yield made

    def condition(self, namespace: str, path: str, kind: str) -> tuple[str, str]:
        """A condition's status and reason."""
        status = self.plane.api.get(f"{API}/{namespace}/{path}").get("status", {})
        found = (it for it in status.get("conditions", ()) if it["type"] == kind)
        return next(((it["status"], it["reason"]) for it in found), ("", ""))


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file that moves the hub's clock; it begins with the right time."""
    file = tmp_path / CLOCK
    file.write_text("0")
    return file


@pytest.fixture
def installation(crds: ControlPlane, tmp_path: Path, clock: Path) -> Iterator[Installation]:
    """One hub and one controller, under the rights that the chart gives."""
    home = make_home(crds)
    (tmp_path / "hub").mkdir()
    moved = (MOVED_HUB, str(clock))
    with (
        hub_in_cluster(crds, tmp_path / "hub", home.namespace, moved) as hub,
        controller(home, hub, tmp_path / "controller") as leader,
    ):
        eventually(leader.leads, within_s=30)
        yield Installation(crds, hub, leader)


def resources(namespace: str, url: str) -> list[dict[str, Any]]:
    """A model of one's own, a policy for the shop, and a Budget over all of it."""
    model = self_hosted()
    model["selfHosted"]["endpoints"] = {"url": f"{url}/v1"}
    return [
        pool(model, namespace=namespace),
        policy(
            rule("all", "main/local"),
            namespace=namespace,
            target={"selector": {"matchLabels": {"app": "shop"}}},
        ),
        budget(namespace=namespace),
    ]


def test_three_resources_route_a_pods_call_and_status_tells_the_truth(
    installation: Installation, namespace: str, tmp_path: Path
) -> None:
    """Answer, `Programmed` by the digest that runs, the Budget's spending; and back again."""
    plane = installation.plane
    with installation.sidecar(tmp_path, namespace, "shop-1") as made:
        plane.kubectl.apply(*resources(namespace, made.url("a")))
        eventually(lambda: made.sidecar.state()["digest"], within_s=20)
        # The first table may be older than the Budget; what is ready is in the table that serves.
        kubectl = plane.kubectl.within(namespace)
        kubectl("wait", "--for=condition=Ready", "rpol/support", "bud/team", "--timeout=30s")
        answer = made.chat()
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-pointsman-model"] == "main/local"
        programmed = ("routingpolicies/support", "Programmed")
        assert installation.condition(namespace, *programmed) == ("True", "Programmed")
        eventually(lambda: _spent(plane, namespace) > 0, within_s=60)
    eventually(lambda: installation.condition(namespace, *programmed)[0] != "True", within_s=10)


def test_an_exhausted_budget_opens_by_itself_in_the_next_window(
    installation: Installation, namespace: str, tmp_path: Path, clock: Path
) -> None:
    """Refused and `Exhausted` until the ledger's clock reaches the hour; nobody does anything."""
    plane = installation.plane
    kubectl = plane.kubectl.within(namespace)
    hourly = [{"name": "hour", "amount": "0.02", "window": {"calendar": "Hour"}}]
    with installation.sidecar(tmp_path, namespace, "shop-1") as made:
        made.script("a", {"outputTokens": 6_000})
        kept, routing, _ = resources(namespace, made.url("a"))
        kept["spec"]["models"][0] = apps.model("local", f"{made.url('a')}/v1")
        plane.kubectl.apply(kept, routing, budget(namespace=namespace, limits=hourly))
        eventually(lambda: made.sidecar.state()["digest"], within_s=20)
        kubectl("wait", "--for=condition=Ready", "rpol/support", "bud/team", "--timeout=30s")
        eventually(lambda: made.chat().status_code == 429, within_s=20)
        exhausted = ("budgets/team", "Exhausted")
        eventually(lambda: installation.condition(namespace, *exhausted)[0] == "True", within_s=30)
        resets = plane.api.get(f"{API}/{namespace}/budgets/team")["status"]["worst"]["resetsAt"]
        move_clock(clock, int(dt.datetime.fromisoformat(resets).timestamp() * 1000), ahead_s=2)
        eventually(lambda: made.chat().status_code == 200, within_s=40)
        eventually(lambda: installation.condition(namespace, *exhausted)[0] == "False", within_s=30)


def _spent(plane: ControlPlane, namespace: str) -> float:
    status = plane.api.get(f"{API}/{namespace}/budgets/team").get("status", {})
    return float((status.get("worst") or {}).get("spent", "0").split()[0])
