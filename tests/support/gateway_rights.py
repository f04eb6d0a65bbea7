"""What the chart's `gatewayNamespaces` gives the controller, for tests without the chart."""

from __future__ import annotations

from harness.control_plane import ControlPlane
from pointsman_operator.owned import permissions
from support.controllers import Home

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


def allow_gateways(cluster: ControlPlane, home: Home, namespace: str) -> None:
    """As the chart's gatewayNamespaces does."""
    group = "rbac.authorization.k8s.io"
    metadata = {"name": "pointsman-gateways"}
    role = {"metadata": metadata, "rules": permissions.of_gateways()}
    subject = {"kind": "ServiceAccount", "name": "pointsman-controller"}
    binding = {
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "pointsman-gateways"},
        "subjects": [subject | {"namespace": home.namespace}],
    }
    for kind, plural, document in (
        ("Role", "roles", role),
        ("RoleBinding", "rolebindings", binding),
    ):
        made = {"apiVersion": f"{group}/v1", "kind": kind, **document}
        cluster.api.create(f"{RBAC}/{namespace}/{plural}", made)
