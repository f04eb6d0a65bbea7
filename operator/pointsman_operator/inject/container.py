"""The sidecar container and its volumes: restricted pod security, no token of the API server."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pointsman_operator.inject import limits, names
from pointsman_operator.inject.facts import Document, Settings
from pointsman_operator.inject.objects import part, workload_name
from pointsman_operator.inject.options import Options

VOLUMES: tuple[dict[str, Any], ...] = (
    {
        "name": "pointsman-token",
        "projected": {
            "sources": [
                {
                    "serviceAccountToken": {
                        "audience": names.AUDIENCE,
                        "expirationSeconds": limits.TOKEN_SECONDS,
                        "path": "token",
                    }
                }
            ]
        },
    },
    {"name": "pointsman-tables", "configMap": {"name": names.CONFIG_MAP, "optional": True}},
    {
        "name": "pointsman-credentials",
        "secret": {"secretName": names.CREDENTIALS, "optional": True},
    },
    {
        "name": "pointsman-labels",
        "downwardAPI": {
            "items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
        },
    },
    {"name": "pointsman-state", "emptyDir": {"medium": "Memory", "sizeLimit": limits.STATE_SIZE}},
)
"""Whole directories, never subPath, so that the kubelet's updates come through."""
MOUNTS = (
    ("pointsman-token", names.TOKEN_DIR),
    ("pointsman-tables", names.TABLES_DIR),
    ("pointsman-credentials", f"{names.SECRETS_DIR}/{names.CREDENTIALS}"),
    ("pointsman-labels", names.POD_DIR),
    ("pointsman-state", names.STATE_DIR),
    # Where the API server would mount its own token, which the router has no use for; it would
    # then ask all webhooks about the pod once more.
    ("pointsman-token", names.API_TOKEN_DIR),
)
WRITABLE = {"pointsman-state"}


def sidecar(
    pod: Document, options: Options, settings: Settings, resources: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """The container for this pod: a native sidecar, so that Jobs end and the app starts after."""
    return {
        "name": names.CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "restartPolicy": "Always",
        "env": _environment(pod, options, settings),
        "ports": [{"name": "pointsman", "containerPort": names.ADMIN_PORT, "protocol": "TCP"}],
        "resources": {kind: amounts for kind, amounts in resources.items() if amounts},
        "securityContext": _security(pod),
        "startupProbe": {
            **_probe("/startupz"),
            "periodSeconds": limits.STARTUP_PERIOD_S,
            "failureThreshold": limits.STARTUP_FAILURES,
        },
        "livenessProbe": {
            **_probe("/livez"),
            "periodSeconds": limits.LIVENESS_PERIOD_S,
            "failureThreshold": limits.LIVENESS_FAILURES,
        },
        "volumeMounts": [
            {
                "name": volume,
                "mountPath": path,
                **({} if volume in WRITABLE else {"readOnly": True}),
            }
            for volume, path in MOUNTS
        ],
    }


def digest(container: Document) -> str:
    """Names what a rollout would renew: without the CA bundle, which running pods get otherwise."""
    environment = [it for it in container["env"] if it["name"] != names.HUB_CA]
    content = json.dumps({**container, "env": environment}, sort_keys=True)
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def _environment(pod: Document, options: Options, settings: Settings) -> list[dict[str, Any]]:
    grace_s = part(pod, "spec").get("terminationGracePeriodSeconds")
    grace_s = limits.GRACE_S if not isinstance(grace_s, int) else grace_s
    fields = {
        "POINTSMAN_NAMESPACE": "metadata.namespace",
        "POINTSMAN_POD": "metadata.name",
        "POINTSMAN_SIDECAR": "metadata.uid",
        "POINTSMAN_POD_IP": "status.podIP",
    }
    values = {
        "POINTSMAN_HUB_URL": settings.hub_url,
        "POINTSMAN_HUB_TOKEN_FILE": f"{names.TOKEN_DIR}/token",
        names.HUB_CA: settings.hub_ca,
        "POINTSMAN_TABLE_PATH": names.TABLES_DIR,
        "POINTSMAN_LABELS_FILE": f"{names.POD_DIR}/labels",
        "POINTSMAN_SECRETS_DIR": names.SECRETS_DIR,
        "POINTSMAN_SECRETS_FROM_ENV": "false",
        "POINTSMAN_STATE_DIR": names.STATE_DIR,
        "POINTSMAN_WORKLOAD": options.workload or workload_name(pod),
        "POINTSMAN_DATA_ADDRESS": f"127.0.0.1:{names.DATA_PORT}",
        "POINTSMAN_ADMIN_ADDRESS": f"$(POINTSMAN_POD_IP):{names.ADMIN_PORT}",
        "POINTSMAN_DEBUG_ADDRESS": f"127.0.0.1:{names.DEBUG_PORT}",
        "POINTSMAN_DRAIN_SECONDS": str(max(1, grace_s - limits.DRAIN_MARGIN_S)),
        "POINTSMAN_LOG_LEVEL": options.log_level or settings.log_level,
        "POINTSMAN_OTLP_ENDPOINT": settings.otlp_endpoint,
        "POINTSMAN_OTLP_SAMPLE_PERCENT": settings.otlp_endpoint and settings.otlp_sample_percent,
    }
    downward = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in fields.items()
    ]
    return downward + [{"name": name, "value": value} for name, value in values.items() if value]


def _security(pod: Document) -> dict[str, Any]:
    """Restricted; the user is said only where the pod would make it root.

    Elsewhere the pod's own user, the range of its namespace (OpenShift) or the image's decides.
    """
    context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if part(part(pod, "spec"), "securityContext").get("runAsUser") == 0:
        context |= {"runAsUser": names.USER_ID, "runAsGroup": names.USER_ID}
    return context


def _probe(path: str) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": names.ADMIN_PORT},
        "timeoutSeconds": limits.PROBE_TIMEOUT_S,
    }
