"""What the controller does not do: write without need, mark users' objects, overstep its rights."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from harness.audit import Access, Audit
from harness.control_plane import ControlPlane
from pointsman_operator.owned import permissions
from support.cluster_hub import ClusterHub
from support.controllers import ControllerProcess, Home
from support.eventually import eventually
from support.resources import budget, policy, pool, rule
from support.resources_in_cluster import API, INJECTED, envelope, pod, status

pytestmark = pytest.mark.timeout(180)
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
QUIET_S = 1.5
ARENA_BYTES = 64 * 2**20
"""Of addresses that glibc keeps free for each arena but the first, of which it uses the front."""
OURS = ("modelpools/main", "routingpolicies/support", "budgets/team")


def _settle(cluster: ControlPlane, namespace: str, hub: ClusterHub) -> None:
    document = policy(rule(), namespace=namespace)
    cluster.kubectl.apply(pool(namespace=namespace), document, budget(namespace=namespace))
    uid = pod(cluster, namespace, "one", labels=INJECTED)
    hub.follow(uid, namespace, "support", pod="one")
    for path in OURS:
        eventually(
            lambda path=path: _ready(cluster, namespace, path),  # type: ignore[misc]
            told=lambda path=path: (path, status(cluster, namespace, path)),  # type: ignore[misc]
        )
    eventually(lambda: envelope(cluster, namespace, "support"))


def _ready(cluster: ControlPlane, namespace: str, path: str) -> bool:
    found = status(cluster, namespace, path).get("conditions", ())
    return any((it["type"], it["status"]) == ("Ready", "True") for it in found)


def _writes(audit: Audit, home: Home) -> list[dict[str, Any]]:
    """Everything that the controller wrote, but for renewals of its Lease."""
    return [
        event
        for event in audit.by(home.user)
        if event["verb"] in WRITES and event["objectRef"]["resource"] != "leases"
    ]


def _quiet(writes: list[dict[str, Any]], namespace: str) -> bool:
    """Whether nothing was written there for longer than work waits to be joined."""
    times = [it["stageTimestamp"] for it in writes if it["objectRef"].get("namespace") == namespace]
    since = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(max(times))
    return since.total_seconds() > QUIET_S


def test_nothing_is_written_when_nothing_changes(
    crds: ControlPlane, namespace: str, hub: ClusterHub, home: Home, replica: ControllerProcess
) -> None:
    """Labels, annotations and the same spec applied again cause no write at all."""
    eventually(replica.leads, within_s=30)
    _settle(crds, namespace, hub)
    before = crds.audit()
    eventually(lambda: _quiet(_writes(before, home), namespace))
    audit, puts = crds.audit(from_now=True), len(hub.writes)
    for path in OURS:
        crds.api.merge(f"{API}/{namespace}/{path}", {"metadata": {"annotations": {"a": "b"}}})
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    crds.kubectl.apply(policy(rule(), name="marker", namespace=namespace, priority=-9))
    eventually(lambda: hub.digest(namespace, "marker"), within_s=20)
    eventually(lambda: _ready(crds, namespace, "routingpolicies/support"))
    named = {
        (it["objectRef"]["resource"], it["objectRef"].get("name"))
        for it in _writes(audit, home)
        if it["objectRef"]["namespace"] == namespace
    }
    # The pool counts one policy more; the new policy's own status and table are due.
    due = {("routingpolicies", "marker"), ("configmaps", "pointsman"), ("modelpools", "main")}
    assert {name for name in named if name[0] != "events"} <= due
    put = [path for _, _, path in hub.writes[puts:] if path.startswith(namespace)]
    assert put == [f"{namespace}/marker"]


def test_users_objects_get_neither_annotation_nor_finalizer(
    crds: ControlPlane, namespace: str, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """All that is written onto a resource of a user's is its status."""
    eventually(replica.leads, within_s=30)
    _settle(crds, namespace, hub)
    for path in OURS:
        metadata = crds.api.get(f"{API}/{namespace}/{path}")["metadata"]
        kept = "kubectl.kubernetes.io/last-applied-configuration"
        assert set(metadata.get("annotations") or {}) <= {kept}, path
        assert metadata.get("finalizers") is None
        parts = {
            it.get("subresource")
            for it in metadata["managedFields"]
            if it["manager"].startswith("pointsman")
        }
        assert parts == {"status"}


def test_rights_are_the_least_that_do(
    crds: ControlPlane, namespace: str, hub: ClusterHub, home: Home, replica: ControllerProcess
) -> None:
    """No call is forbidden, and every verb that the builder grants in namespaces is used."""
    eventually(replica.leads, within_s=30)
    _settle(crds, namespace, hub)
    crds.api.merge(
        f"/api/v1/namespaces/{namespace}/configmaps/pointsman",
        {"data": {"foreign": "x"}},
        fieldManager="somebody",
    )
    eventually(lambda: "foreign" not in crds.api.get(
        f"/api/v1/namespaces/{namespace}/configmaps/pointsman").get("data", {}))  # fmt: skip
    crds.kubectl.within(namespace)("delete", "rpol", "support", "--wait")
    audit = crds.audit()
    used = audit.used(home.user)
    eventually(lambda: _did(audit.used(home.user), "delete", "configmaps"))
    # What other tests left is being deleted: nobody may create anything there any more.
    here = {namespace, home.namespace, ""}
    assert {it for it in audit.forbidden(home.user) if it.namespace in here} == set()
    granted = [*permissions.everywhere(), *permissions.cluster_wide()]
    granted += permissions.at_home("pointsman")
    unused = [
        (verb, resource)
        for rule_ in granted
        for resource in rule_["resources"]
        for verb in rule_["verbs"]
        # The audit log calls an apply that creates a patch; single resources are read on doubt.
        if verb not in {"get", "create"} and not _did(audit.used(home.user), verb, resource)
    ]
    assert unused == []
    assert not any(_foreign_secret(access, home) for access in used)


def test_threads_share_the_memory_that_they_free(
    crds: ControlPlane, namespace: str, hub: ClusterHub, replica: ControllerProcess
) -> None:
    """However many threads call the API server, what they free is in two arenas at most."""
    eventually(replica.leads, within_s=30)
    _settle(crds, namespace, hub)
    assert len(list(Path(f"/proc/{replica.process.pid}/task").iterdir())) > 3
    assert _arenas(replica.process.pid) <= 1


def _arenas(pid: int) -> int:
    """How many glibc has made for a process beside the first: a used front, the rest reserved."""
    found = re.findall(
        r"^(\w+)-(\w+) rw-p .* 0 +\n(\w+)-(\w+) ---p",
        Path(f"/proc/{pid}/maps").read_text(),
        re.MULTILINE,
    )
    places = [[int(address, 16) for address in addresses] for addresses in found]
    return sum(
        start % ARENA_BYTES == 0 and (front, end) == (rest, start + ARENA_BYTES)
        for start, front, rest, end in places
    )


def _did(used: set[Access], verb: str, resource: str) -> bool:
    return any((access.verb, access.resource) == (verb, resource) for access in used)


def _foreign_secret(access: Access, home: Home) -> bool:
    return access.resource == "secrets" and access.namespace != home.namespace
