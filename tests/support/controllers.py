"""Real controller processes on a test cluster, each under the rights that the chart gives."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx

from harness.control_plane import DEFAULT_TOKEN_S, ControlPlane
from pointsman_operator.owned import permissions
from support.eventually import eventually

STARTS_WITHIN_S = 60.0
ACCOUNT = "pointsman-controller"
LOG_SHOWN = 4_000
"""Characters of a replica's log, from its end."""
DOCKERFILE = Path(__file__).resolve().parents[2] / "operator" / "Dockerfile"
SECRETS = ("pointsman-ca", "pointsman-hub-tls", "pointsman-injector-tls")


@dataclass
class Home:
    """The operator's own namespace, as the chart leaves it."""

    cluster: ControlPlane
    namespace: str
    kubeconfig: Path

    @property
    def user(self) -> str:
        """The controller in the audit log."""
        return f"system:serviceaccount:{self.namespace}:{ACCOUNT}"

    @property
    def hooks(self) -> str:
        """The webhook configuration that it may keep."""
        return f"{self.namespace}-webhooks"

    def lease(self) -> dict[str, Any]:
        """The Lease's spec."""
        return dict(self.cluster.api.get(self._lease_path)["spec"])

    def drop_lease(self) -> None:
        """As an uninstallation does."""
        self.cluster.api.delete(self._lease_path)

    @property
    def _lease_path(self) -> str:
        folder = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"
        return f"{folder}/pointsman-controller"


class Served(Protocol):
    """A hub, scripted or real."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def controllers_token(self) -> str:
        """What lets the controller in."""
        ...


@dataclass
class ControllerProcess:
    """One replica."""

    home: Home
    hub: Served
    folder: Path
    arguments: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Start and wait until its probes are served."""
        self.folder.mkdir(parents=True, exist_ok=True)
        announce = self.folder / "announce"
        announce.unlink(missing_ok=True)
        token = self.folder / "token"
        token.write_text(self.hub.controllers_token())
        options = ["--namespace", self.home.namespace, "--identity", self.folder.name]
        options += ["--kubeconfig", str(self.home.kubeconfig), "--hub-url", self.hub.url]
        options += ["--hub-token-file", str(token), "--listen", "127.0.0.1:0"]
        options += ["--announce", str(announce), *self.arguments]
        command = [sys.executable, "-m", "pointsman_operator.controller", *options]
        environment = memory_settings() | os.environ
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        eventually(lambda: announce.exists() or self.ended(), within_s=STARTS_WITHIN_S)
        assert not self.ended(), self.log()
        address = json.loads(announce.read_text())["address"]
        self.http = httpx.Client(base_url=f"http://{address}", timeout=10, trust_env=False)

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def leads(self) -> bool:
        """Whether it may write."""
        return self.metric("pointsman_controller_is_leader") == 1

    def metric(self, name: str) -> float:
        """A metric without labels."""
        text = self.http.get("/metrics").text
        line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
        return float(line.split()[1])

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self.end(signal.SIGTERM)

    def end(self, number: signal.Signals) -> int:
        """Any signal that ends it; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()


@contextmanager
def controller(
    home: Home, hub: Served, folder: Path, *arguments: str
) -> Iterator[ControllerProcess]:
    """A running replica; ended with the block."""
    process = ControllerProcess(home, hub, folder, list(arguments))
    process.start()
    try:
        yield process
    finally:
        if not process.ended():
            process.process.send_signal(signal.SIGCONT)
            process.end(signal.SIGKILL)
        process.http.close()
        # pytest shows it beside a test that failed.
        sys.stderr.write(process.log()[-LOG_SHOWN:])


def memory_settings() -> dict[str, str]:
    """What the operator's image tells glibc: a controller outside of it keeps memory alike."""
    return dict(re.findall(r"^ENV (MALLOC_\w+)=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE))


def make_home(cluster: ControlPlane, token_s: int = DEFAULT_TOKEN_S) -> Home:
    """A namespace with empty Secrets, a ServiceAccount, and the rights that the builder lists.

    The controller has one token for `token_s` seconds; nobody renews it, as a kubelet would.
    """
    namespace = f"pointsman-{secrets.token_hex(3)}"
    api = cluster.api
    api.create("/api/v1/namespaces", _named("v1", "Namespace", namespace))
    for name in SECRETS:
        api.create(f"/api/v1/namespaces/{namespace}/secrets", _named("v1", "Secret", name))
    everywhere = [*permissions.everywhere(), *permissions.cluster_wide()]
    everywhere += permissions.of_webhooks([f"{namespace}-webhooks"])
    home = permissions.at_home("pointsman")
    kubeconfig = account(cluster, namespace, ACCOUNT, everywhere, home, token_s)
    return Home(cluster, namespace, kubeconfig)


def account(
    cluster: ControlPlane,
    namespace: str,
    account: str,
    everywhere: list[permissions.Rule],
    at_home: list[permissions.Rule],
    token_s: int = DEFAULT_TOKEN_S,
) -> Path:
    """A new ServiceAccount with these rights; its kubeconfig."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    cluster.api.create(path, _named("v1", "ServiceAccount", account))
    group = "rbac.authorization.k8s.io"
    folder = f"/apis/{group}/v1"
    for kind, rules, path in (
        ("ClusterRole", everywhere, f"{folder}/clusterroles"),
        ("Role", at_home, f"{folder}/namespaces/{namespace}/roles"),
    ):
        name = f"{namespace}-{account}"
        cluster.api.create(path, {**_named(f"{group}/v1", kind, name), "rules": rules})
        binding = {
            **_named(f"{group}/v1", f"{kind}Binding", name),
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }
        cluster.api.create(path.replace("roles", "rolebindings"), binding)
    return cluster.kubeconfig_for_service_account(namespace, account, token_s)


def _named(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
