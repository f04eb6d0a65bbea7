"""The generated CustomResourceDefinitions as a real API server sees and serves them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.control_plane import ControlPlane
from pointsman_operator.api import BY_KIND, KINDS
from pointsman_operator.api.kinds import Kind
from pointsman_operator.api.meta import API_VERSION, GROUP, TASKS, VERSION
from support import resources as make

EXAMPLES = {"ModelPool": make.pool(), "RoutingPolicy": make.policy(), "Budget": make.budget()}
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Ready",
    "message": "",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
STATUS: dict[str, dict[str, Any]] = {
    "ModelPool": {"models": 7, "refused": 3, "policies": 2, "conditions": [READY]},
    "RoutingPolicy": {"injected": "4/5", "programmed": "3/4", "conditions": [READY]},
    "Budget": {
        "conditions": [READY],
        "action": "Notify",
        "worst": {
            "name": "day",
            "spent": "4.10",
            "remaining": "0.90",
            "percent": 82,
            "resetsAt": "2026-01-02T00:00:00Z",
        },
    },
}
SHOWN = {
    "ModelPool": ["main", "7", "3", "2", "True"],
    "RoutingPolicy": ["support", "4/5", "3/4", "True"],
    "Budget": ["team", "4.10", "0.90", "82", "Notify", "2026-01-02T00:00:00Z", "True"],
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_api_server_has_nothing_to_object_to(crds: ControlPlane, kind: Kind) -> None:
    """Each is Established, its names are accepted, and no other condition says otherwise."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.plural}.{GROUP}"
    conditions = crds.api.get(path)["status"]["conditions"]
    told = {condition["type"]: condition["status"] for condition in conditions}
    assert told == {"Established": "True", "NamesAccepted": "True"}


def test_they_fit_into_a_client_side_apply(control_plane: ControlPlane, crds: ControlPlane) -> None:
    """`kubectl apply -f crds/` works without flags: the copy in the annotation is small enough."""
    assert crds is control_plane
    for kind in KINDS:
        name = f"{kind.plural}.{GROUP}"
        applied = crds.kubectl.json("get", "crd", name)
        applied["metadata"] = {"name": name}
        del applied["status"]
        assert name in crds.kubectl.apply(applied)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_short_names_and_the_category_list_them(
    crds: ControlPlane, namespace: str, kind: Kind
) -> None:
    """`kubectl get mpool`, `rpol`, `bud` and `kubectl get pointsman` find an object."""
    kubectl = crds.kubectl.within(namespace)
    document = _example(kind, namespace)
    kubectl.apply(document)
    name = document["metadata"]["name"]
    assert name in kubectl("get", kind.short)
    assert f"{kind.name.lower()}.{GROUP}/{name}" in kubectl("get", "pointsman", "-o", "name")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_columns_show_the_status(crds: ControlPlane, namespace: str, kind: Kind) -> None:
    """`kubectl get` answers whether it works, and how much is left, in the documented columns."""
    kubectl = crds.kubectl.within(namespace)
    document = _example(kind, namespace)
    created = crds.api.create(_collection(kind, namespace), document)
    path = f"{_collection(kind, namespace)}/{document['metadata']['name']}/status"
    crds.api.replace(path, {**created, "status": STATUS[kind.name]})
    heads, row = kubectl("get", kind.plural).splitlines()
    shown = [column.name.upper() for column in kind.columns if column.priority == 0]
    assert heads.split() == ["NAME", *shown]
    assert row.split()[:-1] == SHOWN[kind.name]
    wide = kubectl("get", kind.plural, "-o", "wide").splitlines()[0]
    assert wide.split() == ["NAME", *(column.name.upper() for column in kind.columns)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_status_is_written_through_its_own_door(
    crds: ControlPlane, namespace: str, kind: Kind
) -> None:
    """Users cannot write a status with their object, the controller cannot change a spec by it."""
    document = _example(kind, namespace)
    path = f"{_collection(kind, namespace)}/{document['metadata']['name']}"
    created = crds.api.create(
        _collection(kind, namespace), {**document, "status": STATUS[kind.name]}
    )
    assert created.get("status", {}).get("conditions") is None
    changed = {**created, "spec": {**created["spec"]}, "status": STATUS[kind.name]}
    changed["spec"]["priority" if kind.name == "RoutingPolicy" else "unknown"] = 7
    written = crds.api.replace(f"{path}/status", changed, fieldValidation="Ignore")
    assert written["spec"] == created["spec"]
    assert written["status"]["conditions"][0]["type"] == "Ready"
    assert written["metadata"]["generation"] == created["metadata"]["generation"] == 1


def test_wait_for_ready_works(crds: ControlPlane, namespace: str) -> None:
    """`kubectl wait --for=condition=Ready` returns once the status says so."""
    kubectl = crds.kubectl.within(namespace)
    kind = BY_KIND["Budget"]
    path = _collection(kind, namespace)
    created = crds.api.create(path, _example(kind, namespace))
    crds.api.replace(f"{path}/team/status", {**created, "status": STATUS["Budget"]})
    assert "condition met" in kubectl("wait", "--for=condition=Ready", "budget/team")


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("mpool.spec.models.pricing.outputPerMTok", "Answer tokens, reasoning included."),
        ("rpol.spec.rules.route.strategy", "good enough at the least cost"),
        ("bud.spec.enforcement.outageHorizon", "How long leased money outlives the ledger."),
    ],
)
def test_explain_tells_what_a_field_means(crds: ControlPlane, field: str, says: str) -> None:
    """`kubectl explain` has the models' own words."""
    explained = " ".join(crds.kubectl("explain", field).split())
    assert f"GROUP: {GROUP}" in explained
    assert f"VERSION: {VERSION}" in explained
    assert says in explained


def test_explain_lists_the_values_of_an_enum(crds: ControlPlane) -> None:
    """A closed list is shown, so nobody has to guess."""
    explained = crds.kubectl("explain", "rpol.spec.signals.task")
    assert all(task in explained for task in TASKS)


def _example(kind: Kind, namespace: str) -> dict[str, Any]:
    document = EXAMPLES[kind.name]
    assert document["apiVersion"] == API_VERSION
    return {**document, "metadata": {**document["metadata"], "namespace": namespace}}


def _collection(kind: Kind, namespace: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.plural}"
