"""Every name that injection puts into pods or reads there (docs/contracts-kubernetes.md 1, 2)."""

from __future__ import annotations

from pointsman_operator.api.meta import GROUP

INJECT = f"{GROUP}/inject"
"""Workload annotation, pod template label, pod label: `"true"` or `"false"`."""
INJECTION = f"{GROUP}/injection"
"""Namespace label: `enabled`, `required` or `disabled`."""
INJECTED = f"{GROUP}/injected"
STATUS = f"{GROUP}/status"
NOT_INJECTED = f"{GROUP}/not-injected"

CONTAINERS = f"{GROUP}/containers"
CPU_REQUEST = f"{GROUP}/cpu-request"
MEMORY_REQUEST = f"{GROUP}/memory-request"
CPU_LIMIT = f"{GROUP}/cpu-limit"
MEMORY_LIMIT = f"{GROUP}/memory-limit"
LOG_LEVEL = f"{GROUP}/log-level"
ENV_INJECTION = f"{GROUP}/env-injection"
WORKLOAD = f"{GROUP}/workload"
SETTINGS = frozenset(
    {
        *(CONTAINERS, CPU_REQUEST, MEMORY_REQUEST, CPU_LIMIT, MEMORY_LIMIT),
        *(LOG_LEVEL, ENV_INJECTION, WORKLOAD),
    }
)
"""What a pod's author may set."""
MARKS = frozenset({STATUS, NOT_INJECTED})

CONTAINER = "pointsman"
DATA_PORT, ADMIN_PORT, DEBUG_PORT = 4617, 4618, 4619
PORTS = (DATA_PORT, ADMIN_PORT, DEBUG_PORT)
DATA_URL = f"http://127.0.0.1:{DATA_PORT}"

CREDENTIALS = "pointsman-credentials"
CONFIG_MAP = "pointsman"
AUDIENCE = "pointsman"
RUN = "/var/run/pointsman"
TOKEN_DIR, TABLES_DIR = f"{RUN}/token", f"{RUN}/tables"
SECRETS_DIR, POD_DIR = f"{RUN}/secrets", f"{RUN}/pod"
STATE_DIR = "/var/lib/pointsman"
API_TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
"""Where Kubernetes mounts the token of the pod's ServiceAccount in each container."""
HUB_CA = "POINTSMAN_HUB_CA"

USER_ID = 65532
"""The images' own user; said only where the pod would run the sidecar as root."""

MESH = frozenset(
    {
        *("istio-init", "istio-validation", "istio-proxy", "enable-core-dump"),
        *("linkerd-init", "linkerd-network-validator", "linkerd-proxy", "linkerd-await"),
    }
)
"""Containers of the service meshes: the network is theirs, so they start before the sidecar."""
