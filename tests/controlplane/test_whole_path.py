"""Controller, hub and sidecar as real processes around a real API server: resources to answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import apps
from harness.control_plane import ControlPlane
from support.eventually import eventually
from support.money_world import CLOCK, move_clock
from support.resources import budget, policy, pool, rule, self_hosted
from support.whole_path import API, Installation, whole_path

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file that moves the hub's clock; it begins with the right time."""
    file = tmp_path / CLOCK
    file.write_text("0")
    return file


@pytest.fixture
def installation(crds: ControlPlane, tmp_path: Path, clock: Path) -> Iterator[Installation]:
    """One hub and one controller, under the rights that the chart gives."""
    with whole_path(crds, tmp_path, clock) as made:
        yield made


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
