"""The pod of a gateway: the sidecar's image, restricted, with the keys of its namespace mounted."""

from __future__ import annotations

from typing import Any

from pointsman_operator.owned.gateway import ADMIN_PORT, DATA_PORT, INJECT, Gateway, Site

RUN = "/var/run/pointsman"
STATE_DIR = "/var/lib/pointsman"
CREDENTIALS, API_KEYS = "pointsman-credentials", "pointsman-api-keys"
GRACE_S = 60
"""What calls in flight have after SIGTERM, but for the margin of the last report."""
DRAIN_S = 50
LEAVE_S = 5
"""Before SIGTERM: what Services and callers need to notice that a pod leaves."""
THREADS = 2
USER_ID = 65532
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_RESOURCES = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}


def pod_template(gateway: Gateway, site: Site) -> dict[str, Any]:
    """The Deployment's template."""
    labels = {**gateway.metadata(site)["labels"], INJECT: "false"}
    spec: dict[str, Any] = {
        "serviceAccountName": gateway.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": gateway.selector()},
            }
        ],
        "containers": [_container(gateway, site)],
        "volumes": _volumes(gateway),
    }
    if site.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in site.pull_secrets]
    return {"metadata": {"labels": labels}, "spec": spec}


def _container(gateway: Gateway, site: Site) -> dict[str, Any]:
    return {
        "name": "gateway",
        "image": site.image,
        "imagePullPolicy": site.pull_policy,
        "env": _environment(gateway, site),
        "ports": [
            {"name": "https", "containerPort": DATA_PORT, "protocol": "TCP"},
            {"name": "pointsman", "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        "resources": _RESOURCES,
        "securityContext": _SECURITY,
        "startupProbe": {**_probe("/startupz"), "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**_probe("/readyz"), "periodSeconds": 2, "failureThreshold": 2},
        "livenessProbe": {**_probe("/livez"), "periodSeconds": 10, "failureThreshold": 6},
        # The kubelet itself sleeps: the image needs no shell, and callers go elsewhere meanwhile.
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE_S}}},
        "volumeMounts": [
            {"name": name, "mountPath": path, **({} if path == STATE_DIR else {"readOnly": True})}
            for name, path in _mounts(gateway).items()
        ],
    }


def _environment(gateway: Gateway, site: Site) -> list[dict[str, Any]]:
    fields = {
        "POINTSMAN_NAMESPACE": "metadata.namespace",
        "POINTSMAN_POD": "metadata.name",
        "POINTSMAN_SIDECAR": "metadata.uid",
        "POINTSMAN_POD_IP": "status.podIP",
    }
    values = {
        "POINTSMAN_MODE": "gateway",
        "POINTSMAN_GATEWAY": gateway.role,
        "POINTSMAN_HUB_URL": site.hub_url,
        "POINTSMAN_HUB_TOKEN_FILE": f"{RUN}/token/token",
        "POINTSMAN_HUB_CA": site.hub_ca,
        "POINTSMAN_SECRETS_DIR": f"{RUN}/secrets",
        "POINTSMAN_SECRETS_FROM_ENV": "false",
        "POINTSMAN_STATE_DIR": STATE_DIR,
        "POINTSMAN_WORKLOAD": gateway.name,
        "POINTSMAN_DATA_ADDRESS": f"$(POINTSMAN_POD_IP):{DATA_PORT}",
        "POINTSMAN_DATA_THREADS": str(THREADS),
        "POINTSMAN_ADMIN_ADDRESS": f"$(POINTSMAN_POD_IP):{ADMIN_PORT}",
        "POINTSMAN_DEBUG_ADDRESS": "127.0.0.1:4619",
        "POINTSMAN_DRAIN_SECONDS": str(DRAIN_S),
        "POINTSMAN_LOG_LEVEL": site.log_level,
        "POINTSMAN_OTLP_ENDPOINT": site.otlp_endpoint,
        "POINTSMAN_OTLP_SAMPLE_PERCENT": site.otlp_endpoint and str(site.otlp_sample_percent),
    }
    downward = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in fields.items()
    ]
    return downward + [{"name": name, "value": value} for name, value in values.items() if value]


def _mounts(gateway: Gateway) -> dict[str, str]:
    """Whole directories, never subPath, so that the kubelet's updates come through."""
    found = {"pointsman-token": f"{RUN}/token", "pointsman-state": STATE_DIR}
    return found | {name: f"{RUN}/secrets/{name}" for name in _secrets(gateway)}


def _volumes(gateway: Gateway) -> list[dict[str, Any]]:
    token = {"audience": "pointsman", "expirationSeconds": 3600, "path": "token"}
    return [
        {
            "name": "pointsman-token",
            "projected": {"sources": [{"serviceAccountToken": token}]},
        },
        {"name": "pointsman-state", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        *(
            {"name": name, "secret": {"secretName": name, "optional": True}}
            for name in _secrets(gateway)
        ),
    ]


def _secrets(gateway: Gateway) -> tuple[str, ...]:
    return (CREDENTIALS, API_KEYS) if gateway.kind == "policy" else (CREDENTIALS,)


def _probe(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": ADMIN_PORT}, "timeoutSeconds": 2}
