"""Controller, hub and sidecars as real processes around a real API server: all but a kubelet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.control_plane import ControlPlane
from support.controllers import ControllerProcess, controller, make_home
from support.eventually import eventually
from support.hub_in_cluster import HubInCluster, hub_in_cluster
from support.line import Line, line
from support.money_world import MOVED_HUB

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


@contextmanager
def whole_path(plane: ControlPlane, folder: Path, clock: Path) -> Iterator[Installation]:
    """One hub and one controller, under the rights that the chart gives."""
    home = make_home(plane)
    (folder / "hub").mkdir()
    moved = (MOVED_HUB, str(clock))
    with (
        hub_in_cluster(plane, folder / "hub", home.namespace, moved) as hub,
        controller(home, hub, folder / "controller") as leader,
    ):
        eventually(leader.leads, within_s=30)
        yield Installation(plane, hub, leader)
