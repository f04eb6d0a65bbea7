"""CoreDNS as a pod of the cluster: names of Services and pods, nothing of the outside world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.binaries import DNS, built
from harness.daemons import DNS_ADDRESS, DOMAIN
from harness.images import NOBODY, Image, files_layer

NAMESPACE = "kube-system"
NAME = "coredns"
PORT = 5353
"""Above 1024, so that it needs no capability; the Service is on 53."""
HOSTS = "hosts"
HEALTH_PORT, READY_PORT = 8080, 8181
COREFILE = f"""\
{DOMAIN}:{PORT} in-addr.arpa:{PORT} ip6.arpa:{PORT} {{
    errors
    health :{HEALTH_PORT}
    ready :{READY_PORT}
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        pods insecure
    }}
    cache 5
}}
.:{PORT} {{
    errors
    hosts /etc/coredns/{HOSTS} {{
        ttl 1
        reload 1s
        fallthrough
    }}
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""
"""The outside world does not exist: its names are unknown at once, but for those in HOSTS."""


def image(folder: Path) -> Image:
    """CoreDNS alone: it is static."""
    layer = files_layer(folder / "coredns.tar", {"/coredns": built(DNS)})
    return Image("coredns:1", (layer,), ("/coredns",), ("-conf", "/etc/coredns/Corefile"))


def objects() -> list[dict[str, Any]]:
    """What is applied to have it, in order."""
    return [
        _object("v1", "ServiceAccount"),
        _object("v1", "ConfigMap", data={"Corefile": COREFILE, HOSTS: ""}),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", rules=_RULES),
        _object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
        ),
        _object(
            "v1",
            "Service",
            spec={
                "clusterIP": DNS_ADDRESS,
                "selector": {"app": NAME},
                "ports": [
                    {"name": protocol.lower(), "port": 53, "targetPort": PORT, "protocol": protocol}
                    for protocol in ("UDP", "TCP")
                ],
            },
        ),
        _object(
            "apps/v1",
            "Deployment",
            spec={
                "selector": {"matchLabels": {"app": NAME}},
                "template": {"metadata": {"labels": {"app": NAME}}, "spec": _pod()},
            },
        ),
    ]


_RULES = [
    {
        "apiGroups": [""],
        "resources": ["services", "pods", "namespaces"],
        "verbs": ["list", "watch"],
    },
    {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["list", "watch"],
    },
]


def _pod() -> dict[str, Any]:
    container = {
        "name": NAME,
        "image": "localhost/coredns:1",
        "imagePullPolicy": "Never",
        "readinessProbe": {"httpGet": {"path": "/ready", "port": READY_PORT}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    return {
        "serviceAccountName": NAME,
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": NOBODY},
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
    }


def _object(version: str, kind: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": NAME, "namespace": NAMESPACE}
    if kind.startswith("Cluster"):
        del metadata["namespace"]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}
