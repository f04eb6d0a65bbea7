"""Several owners of one object: server-side apply on the list maps of our resources."""

from __future__ import annotations

from typing import Any

import pytest

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from pointsman_operator.api.meta import API_VERSION
from support import resources as make

CONFLICT = 409


def test_two_owners_share_a_list_by_name(crds: ControlPlane, namespace: str) -> None:
    """Models of different managers merge by name; each withdraws only its own."""
    path = _path(namespace)
    crds.api.apply(path, _pool(make.hosted("a", tier=1)), "platform")
    both = crds.api.apply(path, _pool(make.hosted("b", tier=2)), "team")
    assert {model["name"] for model in both["spec"]["models"]} == {"a", "b"}
    rest = crds.api.apply(path, _pool(make.hosted("c")), "team")
    assert {model["name"] for model in rest["spec"]["models"]} == {"a", "c"}


def test_a_conflict_names_the_item_and_its_owner(crds: ControlPlane, namespace: str) -> None:
    """Two managers that want different values of one item are told which, by the item's name."""
    path = _path(namespace)
    crds.api.apply(path, _pool(make.hosted("a", tier=1)), "platform")
    with pytest.raises(RefusedError) as refusal:
        crds.api.apply(path, _pool(make.hosted("a", tier=2)), "team")
    assert refusal.value.code == CONFLICT
    (cause,) = refusal.value.status["details"]["causes"]
    assert cause["field"] == '.spec.models[name="a"].tier'
    assert 'conflict with "platform"' in cause["message"]
    forced = crds.api.apply(path, _pool(make.hosted("a", tier=2)), "team", force=True)
    assert forced["spec"]["models"][0]["tier"] == 2


def test_conditions_have_an_owner_each(crds: ControlPlane, namespace: str) -> None:
    """Conditions merge by type, so that two writers of a status do not erase each other."""
    path = _path(namespace)
    crds.api.apply(path, _pool(make.hosted("a")), "platform")
    for manager, kind in (("controller", "Ready"), ("hub", "Programmed")):
        condition = {"type": kind, "status": "True", "reason": "Yes"}
        status = {**_pool(), "status": {"conditions": [condition]}}
        del status["spec"]
        crds.api.apply(f"{path}/status", status, manager)
    conditions = crds.api.get(path)["status"]["conditions"]
    assert {condition["type"] for condition in conditions} == {"Ready", "Programmed"}


def test_a_name_twice_is_refused(crds: ControlPlane, namespace: str) -> None:
    """List maps hold each name once, whoever writes."""
    with pytest.raises(RefusedError, match="duplicate"):
        crds.api.apply(_path(namespace), _pool(make.hosted("a"), make.hosted("a")), "platform")


def _pool(*models: dict[str, Any]) -> dict[str, Any]:
    document = make.pool(*models)
    return {**document, "metadata": {"name": "main"}}


def _path(namespace: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/modelpools/main"
