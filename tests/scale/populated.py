"""A control plane full of objects: namespaces, pools, policies, and pods that nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from support.resources import hosted, policy, pool, rule
from support.resources_in_cluster import API, INJECTED

NAMESPACES, POLICIES_EACH, PODS_EACH, MODELS_EACH = 200, 5, 50, 5
"""1,000 policies and 10,000 pods in all."""
_AT_ONCE = 6


@dataclass(frozen=True)
class Population:
    """What was made."""

    namespaces: tuple[str, ...]
    pods: tuple[str, ...]
    """Their UIDs."""

    @property
    def policies(self) -> list[tuple[str, str]]:
        """Namespace and name of each."""
        return [(space, f"p{n}") for space in self.namespaces for n in range(POLICIES_EACH)]


def populate(cluster: ControlPlane, share: float) -> Population:
    """Make `share` of the full size; raises RefusedError."""
    spaces = tuple(f"tenant-{number:03}" for number in range(max(1, int(NAMESPACES * share))))
    _each(lambda name: _namespace(cluster, name), spaces)
    _each(lambda name: _policies(cluster, name), spaces)
    pods = _each(lambda name: _pods(cluster, name), spaces)
    return Population(spaces, tuple(uid for uids in pods for uid in uids))


def edited(number: int, version: int) -> dict[str, Any]:
    """The spec of a namespace's policy `number`, another one for each version."""
    rules = [rule(f"rule-{n}", f"main/m{n % MODELS_EACH}") for n in range(4)]
    last = rule(f"last-{version}", *(f"main/m{n}" for n in range(MODELS_EACH)))
    target = {"selector": {"matchLabels": {"app": f"app-{number}"}}}
    spec: dict[str, Any] = policy(*rules, last, target=target)["spec"]
    return spec


def _namespace(cluster: ControlPlane, name: str) -> None:
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.api.create("/api/v1/namespaces", document)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    try:
        cluster.api.create(f"/api/v1/namespaces/{name}/serviceaccounts", account)
    except RefusedError as error:
        # The controller manager was faster.
        if error.code != 409:
            raise


def _policies(cluster: ControlPlane, name: str) -> None:
    models = [hosted(f"m{number}") for number in range(MODELS_EACH)]
    cluster.api.create(f"{API}/{name}/modelpools", pool(*models, namespace=name))
    for number in range(POLICIES_EACH):
        document = policy(name=f"p{number}", namespace=name) | {"spec": edited(number, 0)}
        cluster.api.create(f"{API}/{name}/routingpolicies", document)


def _pods(cluster: ControlPlane, name: str) -> list[str]:
    uids = []
    for number in range(PODS_EACH):
        labels = INJECTED | {"app": f"app-{number % POLICIES_EACH}"}
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{number}", "labels": labels},
            # Nobody's to schedule: it stays as it is.
            "spec": {"schedulerName": "none", "containers": [{"name": "app", "image": "app"}]},
        }
        made = cluster.api.create(f"/api/v1/namespaces/{name}/pods", document)
        uids.append(str(made["metadata"]["uid"]))
    return uids


def _each(work: Callable[[str], Any], names: Iterable[str]) -> list[Any]:
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        return list(workers.map(work, names))
