"""From a kubeconfig to a client of the hub: its pod, its authority, a relay, our token."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from kubernetes import client

from pointsman_operator.cli.hub_client import HubClient, HubError
from pointsman_operator.cli.remote.advice import advised, refused
from pointsman_operator.cli.remote.kubeconfig import Login, log_in
from pointsman_operator.cli.remote.relay import ForwardError, PodPort, relay

HUB_PORT = 4620
COMPONENT = "app.kubernetes.io/component=hub"
CALL_WITHIN_S = 10.0
FORWARDED_WITHIN_S = 30.0
"""Through API server, kubelet and container runtime: a busy node takes its time."""
AS_JSON: dict[str, Any] = {"_preload_content": False, "_request_timeout": CALL_WITHIN_S}
"""Not the client's own classes, in which every field may be missing."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Cluster:
    """The hub in a cluster, and what is asked about."""

    namespace: str | None
    """None: all; empty: the context's."""
    kubeconfig: Path | None
    context: str
    home: str
    """Pointsman's own namespace."""
    token: str
    hub: str
    """A URL that leads to the hub; empty: a port-forward to its pod."""


@dataclass(frozen=True)
class Seat:
    """Where a hub is, and whom to trust that it is the one."""

    pod: str
    server_name: str
    authority: str


@contextmanager
def reach(cluster: Cluster) -> Iterator[tuple[HubClient, str]]:
    """A client and the namespace to ask about (empty: all); raises `HubError` with a remedy."""
    login = log_in(cluster.kubeconfig, cluster.context)
    namespace = "" if cluster.namespace is None else cluster.namespace or login.namespace
    token = cluster.token or login.token()
    if cluster.hub:
        _check_private(cluster.hub)
        with advised(namespace, cluster.home), HubClient(cluster.hub, token) as there:
            yield there, namespace
        return
    seat = find_hub(login, cluster.home)
    tls = ssl.create_default_context(cadata=seat.authority)
    pod = PodPort(cluster.home, seat.pod, HUB_PORT)
    with relay(login.connection, pod) as way, advised(namespace, cluster.home):
        url = f"https://127.0.0.1:{way.port}"
        try:
            with HubClient(url, token, tls, seat.server_name, FORWARDED_WITHIN_S) as there:
                yield there, namespace
        except HubError as error:
            if error.status == 0 and way.failure is not None:
                raise _not_forwarded(way.failure, pod) from error
            raise


def find_hub(login: Login, home: str) -> Seat:
    """The pod that serves, its certificate's name and the CA bundle; raises `HubError`."""
    with login.connection.blocking() as api:
        core = client.CoreV1Api(api)
        with _asking(f"list pods in namespace {home}", home, "pods", "list"):
            listed: Any = core.list_namespaced_pod(home, label_selector=COMPONENT, **AS_JSON)
            metadata = _serving(json.loads(listed.data)["items"], home)["metadata"]
        owners = metadata.get("ownerReferences", ())
        service = next(
            (str(owner["name"]) for owner in owners if owner.get("controller")),
            str(metadata["name"]).rpartition("-")[0],
        )
        bundle = service.removesuffix("-hub") + "-ca"
        with _asking(f"read ConfigMap {home}/{bundle}", home, "configmaps", "get"):
            read: Any = core.read_namespaced_config_map(bundle, home, **AS_JSON)
            authority = (json.loads(read.data).get("data") or {}).get("ca.crt", "")
    if not authority:
        raise HubError(
            f"ConfigMap {home}/{bundle} holds no `ca.crt` yet",
            remedy=f"the controller writes it: kubectl get pods -n {home}",
        )
    return Seat(str(metadata["name"]), f"{service}.{home}.svc", authority)


def _serving(pods: list[dict[str, Any]], home: str) -> dict[str, Any]:
    """The hub's pod, a ready one first; raises `HubError` where none runs."""
    ours = [pod for pod in pods if _is_hub(pod) and "deletionTimestamp" not in pod["metadata"]]
    if not ours:
        raise HubError(
            f"no pod of a hub in namespace {home}",
            remedy=f"where is it? kubectl get pods -A -l {COMPONENT}; then name its namespace by "
            "--operator-namespace",
        )
    running = [pod for pod in ours if pod["status"].get("phase") == "Running"]
    if not running:
        name, phase = ours[0]["metadata"]["name"], ours[0]["status"].get("phase")
        raise HubError(
            f"the hub's pod {home}/{name} is {phase}",
            remedy=f"why? kubectl describe pod {name} -n {home}",
        )
    return max(running, key=_is_ready)


def _is_hub(pod: dict[str, Any]) -> bool:
    return any(
        port.get("containerPort") == HUB_PORT
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
    )


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"].get("conditions", ())
    )


@contextmanager
def _asking(what: str, home: str, resource: str, verb: str) -> Iterator[None]:
    """Tell a failed call to the API server as people can use it."""
    try:
        yield
    except client.ApiException as error:
        raise refused(int(error.status or 0), what, home, resource, verb) from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise HubError(
            f"the API server does not answer: {error}",
            remedy="does it answer kubectl? kubectl version; --kubeconfig and --context choose",
        ) from error


def _not_forwarded(failure: ForwardError, pod: PodPort) -> HubError:
    where = f"{pod.namespace}/{pod.pod}"
    if failure.status == HTTPStatus.FORBIDDEN:
        return refused(
            failure.status,
            f"forward a port to pod {where}",
            pod.namespace,
            "pods/portforward",
            "get,create",
        )
    return HubError(
        f"no port-forward to the hub's pod {where}: {failure}",
        remedy=f"try by hand: kubectl port-forward -n {pod.namespace} pod/{pod.pod} {pod.port}",
    )


def _check_private(url: str) -> None:
    """A token goes over TLS, or nowhere beyond this machine; raises `HubError`."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return
    raise HubError(f"--hub {url}: your token would travel in the clear", remedy="use https://")
