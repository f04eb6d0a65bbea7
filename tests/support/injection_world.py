"""The injector beside a real API server: its rights as the chart's, its webhooks by URL."""

from __future__ import annotations

import base64
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from pointsman_operator.inject.webhooks import webhook_configuration
from pointsman_operator.injector.access import CLUSTER_RULES, own_rules
from support.eventually import eventually
from support.injector_process import InjectorProcess

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
BUNDLE = "pointsman-ca"
ACCOUNT = "pointsman-injector"


@dataclass
class InjectionWorld:
    """An installation as far as injection goes; `close` takes the webhooks away."""

    cluster: ControlPlane
    folder: Path
    own: str
    injector: InjectorProcess | None = None

    @classmethod
    def installed(cls, cluster: ControlPlane, folder: Path) -> InjectionWorld:
        """Everything but the webhooks."""
        world = cls(cluster, folder, f"pointsman-{secrets.token_hex(3)}")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.own}}
        cluster.api.create("/api/v1/namespaces", namespace)
        world._grant()
        cluster.authority.issue("injector", hosts=("127.0.0.1",)).write(folder, "tls")
        world.bundle("the first bundle")
        return world

    @property
    def user(self) -> str:
        """Who the injector is to the API server."""
        return f"system:serviceaccount:{self.own}:{ACCOUNT}"

    def start(self, **settings: str) -> None:
        """The injector, ready, and the webhooks in force."""
        config = self.cluster.kubeconfig_for_service_account(self.own, ACCOUNT)
        self.injector = InjectorProcess(self.folder, config, namespace=self.own, **settings)
        self.register(f"https://{self.injector.wait_ready()}")

    def register(self, url: str) -> None:
        """The chart's webhooks, by URL, with the bundle that the controller would put in."""
        authority = base64.b64encode(self.cluster.ca.encode()).decode()

        def client(path: str) -> Mapping[str, Any]:
            return {"url": url + path, "caBundle": authority}

        made = webhook_configuration(self.own, self.own, {}, client)
        self.cluster.api.create(WEBHOOKS, made)

    def bundle(self, content: str) -> None:
        """What the controller would write for new pods."""
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": BUNDLE},
            "data": {"ca.crt": content},
        }
        path = f"/api/v1/namespaces/{self.own}/configmaps/{BUNDLE}"
        self.cluster.api.apply(path, document, "test", force=True)

    def in_force(self, namespace: str) -> None:
        """Wait until the API server asks us about pods of a namespace that is enabled."""
        self.until(lambda: "initContainers" in self.tried(namespace)["spec"])

    def until(self, condition: Any) -> None:
        """Wait; a refusal meanwhile is no answer yet."""

        def holds() -> bool:
            try:
                return bool(condition())
            except RefusedError:
                return False

        eventually(holds, 30)

    def tried(self, namespace: str, pod: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The pod that the API server would store; nothing is stored."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        return self.cluster.api.create(path, pod or plain(), dryRun="All")

    def label(self, namespace: str, **labels: str) -> None:
        """Put labels on a namespace; `_` stands for `-`, and keys are ours but for `pod-*`."""
        keys = {
            f"pod-security.kubernetes.io/{key[4:]}"
            if key.startswith("pod_")
            else f"pointsman.dev/{key}": value
            for key, value in labels.items()
        }
        self.cluster.api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": keys}})

    def close(self) -> None:
        """No webhook outlives its injector."""
        try:
            self.cluster.api.delete(f"{WEBHOOKS}/{self.own}")
        except RefusedError:
            return
        finally:
            if self.injector is not None:
                self.injector.__exit__()
            self.cluster.api.delete(f"{RBAC}/clusterroles/{self.own}")
            self.cluster.api.delete(f"{RBAC}/clusterrolebindings/{self.own}")
            self.cluster.api.delete(f"/api/v1/namespaces/{self.own}")

    def _grant(self) -> None:
        api, within = self.cluster.api, f"namespaces/{self.own}"
        api.create(f"/api/v1/{within}/serviceaccounts", _named("v1", "ServiceAccount", ACCOUNT))
        for kind, place, rules in (
            ("ClusterRole", "", CLUSTER_RULES),
            ("Role", f"{within}/", own_rules(BUNDLE)),
        ):
            group = "rbac.authorization.k8s.io"
            role = _named(f"{group}/v1", kind, self.own) | {"rules": list(rules)}
            api.create(f"{RBAC}/{place}{kind.lower()}s", role)
            binding = _named(f"{group}/v1", f"{kind}Binding", self.own) | {
                "roleRef": {"apiGroup": group, "kind": kind, "name": self.own},
                "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.own}],
            }
            api.create(f"{RBAC}/{place}{kind.lower()}bindings", binding)


def plain(**metadata: Any) -> dict[str, Any]:
    """A pod that keeps the restricted standard."""
    container = {
        "name": "app",
        "image": "example/app:1",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", **metadata},
        "spec": {"containers": [container]},
    }


def warned(cluster: ControlPlane, namespace: str, *arguments: str) -> str:
    """What kubectl writes to standard error: the warnings that a user sees."""
    kubectl = cluster.kubectl.within(namespace)
    answer = subprocess.run(
        kubectl.command(*arguments),
        env=kubectl.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stderr


def _named(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
