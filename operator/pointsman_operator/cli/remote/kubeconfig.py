"""Who we are to the cluster: kubeconfig, namespace and token, found as kubectl finds them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kubernetes import config

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.kube.connection import Connection, NoConnectionError, connect

POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its ServiceAccount."""
NAMELESS = (
    "your kubeconfig's user has no bearer token (a client certificate, or a login plugin that "
    "gave none), and the hub knows people by tokens only"
)
NAME_YOURSELF = (
    'name one: --token "$(kubectl create token ACCOUNT -n NAMESPACE)", of a ServiceAccount that '
    "may `get` routingpolicies and budgets of pointsman.dev"
)


@dataclass(frozen=True)
class Login:
    """A cluster, and who we are there."""

    connection: Connection
    namespace: str
    """The context's; `default` where it names none."""

    def token(self) -> str:
        """The user's bearer token as of now; raises `HubError` where there is none."""
        kind, _, token = self.connection.authorization().partition(" ")
        if kind.lower() != "bearer" or not token:
            raise HubError(NAMELESS, remedy=NAME_YOURSELF)
        return token


def log_in(kubeconfig: Path | None, context: str) -> Login:
    """By the named file, else KUBECONFIG, ~/.kube/config, this pod. Raises `HubError`."""
    files = kubeconfig or _files(os.environ)
    if kubeconfig is None and not context and not _some_exists(files) and POD.exists():
        return Login(_connect(None, ""), (POD / "namespace").read_text().strip())
    connection = _connect(files, context)
    contexts, current = config.list_kube_config_contexts(str(files))
    chosen = next((one for one in contexts if one["name"] == context), current)
    return Login(connection, str(chosen["context"].get("namespace") or "default"))


def kubeconfig_there(environment: Mapping[str, str]) -> bool:
    """Whether kubectl would have a cluster without being told which."""
    return _some_exists(_files(environment)) or POD.exists()


def _connect(files: Path | None, context: str) -> Connection:
    try:
        return connect(files, context)
    except NoConnectionError as error:
        remedy = "look at `kubectl config get-contexts`; --kubeconfig and --context choose"
        raise HubError(str(error), remedy=remedy) from error


def _files(environment: Mapping[str, str]) -> Path:
    """One file, or several joined as KUBECONFIG has them."""
    return Path(environment.get("KUBECONFIG") or Path.home() / ".kube" / "config")


def _some_exists(files: Path) -> bool:
    return any(Path(one).exists() for one in str(files).split(os.pathsep) if one)
