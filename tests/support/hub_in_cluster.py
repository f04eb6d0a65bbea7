"""A hub process beside a real API server, under the rights that the chart gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from harness.control_plane import ControlPlane
from pointsman_operator.kube.tokens import AUDIENCE
from pointsman_operator.owned import permissions
from support.hub_process import ENTRY, HubProcess

HOME = "pointsman-system"
CONTROLLER = "pointsman-controller"
HUB = "pointsman-hub"
RULES: list[dict[str, Any]] = [
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["subjectaccessreviews"],
        "verbs": ["create"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    *permissions.of_engines(),
    {
        "nonResourceURLs": ["/openid/v1/jwks", "/.well-known/openid-configuration"],
        "verbs": ["get"],
    },
]
"""What the chart grants the hub; the audit log shows that it needs no more and no less."""


@dataclass
class HubInCluster:
    """The hub, and callers of every kind."""

    plane: ControlPlane
    process: HubProcess
    home: str = HOME

    def pod(self, namespace: str, name: str, **labels: str) -> dict[str, str]:
        """Make a pod that no kubelet runs; its name and UID."""
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [{"name": "app", "image": "localhost/none:1"}]},
        }
        made = self.plane.api.create(f"/api/v1/namespaces/{namespace}/pods", document)
        return {"name": name, "uid": str(made["metadata"]["uid"])}

    def delete_pod(self, namespace: str, name: str) -> None:
        """As with --grace-period=0 --force: no kubelet confirms here."""
        self.plane.api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", gracePeriodSeconds="0")

    def pod_token(self, namespace: str, pod: Mapping[str, str]) -> str:
        """The token that the kubelet mounts in a sidecar."""
        return self.plane.token(namespace, "default", audience=AUDIENCE, pod=pod)

    @property
    def url(self) -> str:
        """Where it serves."""
        return self.process.url

    def controllers_token(self) -> str:
        """The controller's own."""
        return self.plane.token(self.home, CONTROLLER, audience=AUDIENCE)

    def call(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        """One call with that token."""
        headers = {"authorization": f"Bearer {token}", **more.pop("headers", {})}
        return httpx.request(method, self.process.url + path, headers=headers, timeout=20, **more)


@contextmanager
def hub_in_cluster(
    plane: ControlPlane, folder: Path, home: str = HOME, entry: Sequence[str] = ENTRY
) -> Iterator[HubInCluster]:
    """A hub with its ServiceAccount and ClusterRole, and the controller's ServiceAccount."""
    rbac = "rbac.authorization.k8s.io"
    plane.kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}},
        account(home, HUB),
        account(home, CONTROLLER),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"{home}-hub"},
            "rules": RULES,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{home}-hub"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": f"{home}-hub"},
            "subjects": [{"kind": "ServiceAccount", "name": HUB, "namespace": home}],
        },
    )
    kubeconfig = plane.kubeconfig_for_service_account(home, HUB, seconds=3600)
    options = ["--cluster", "--controller", f"{home}/{CONTROLLER}", "--kubeconfig", str(kubeconfig)]
    process = HubProcess(folder, options, entry=[*entry])
    process.start()
    try:
        yield HubInCluster(plane, process, home)
    finally:
        process.stop()


def account(namespace: str, name: str) -> dict[str, Any]:
    """A ServiceAccount."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
    }
