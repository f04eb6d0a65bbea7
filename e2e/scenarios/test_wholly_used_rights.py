"""No right that is never used: judged by the audit log of all scenarios before (sorts last)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.audit import access
from harness.installation import HOME, RELEASE, VALUES, Installation
from support.charts import rendered

pytestmark = pytest.mark.timeout(600)

GROUP = "pointsman.dev"
SERVICE_ACCOUNT = f"system:serviceaccount:{HOME}:{RELEASE}-"


class Right(NamedTuple):
    """One verb of one role."""

    role: str
    verb: str
    group: str
    resource: str
    """The path for what is no resource."""


RARE = {
    **{
        Right("controller", "get", GROUP, plural): "reads a resource that a broken watch did not "
        "tell of: tests/controlplane/controller/test_weather.py"
        for plural in ("modelpools", "routingpolicies", "budgets")
    },
    Right("controller", "create", "", "configmaps"): "an apply that makes the ConfigMap needs it; "
    "the audit log calls that a patch (test_rights_are_the_least_that_do)",
    **{
        Right("controller", "create", group, resource): "the same for the objects of gateways: "
        "test_gateways.py uses all other rights to them, test_uninstall.py those of the cleanup"
        for group, resource in (
            ("", "serviceaccounts"),
            ("", "services"),
            ("apps", "deployments"),
            ("policy", "poddisruptionbudgets"),
        )
    },
    Right("controller", "delete", "", "configmaps"): "when a namespace's last policy is deleted: "
    "tests/controlplane/controller/test_publishing.py::test_deletion_cleans_up",
}
"""Rights that these scenarios need not use, and where they are exercised instead."""


def test_every_right_of_every_role_was_used(
    installed: Installation, request: pytest.FixtureRequest
) -> None:
    """Verb by verb and resource by resource, the hooks' roles included; rare ones are listed."""
    run = {Path(item.fspath).name for item in request.session.items}
    folder = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    if run != folder:
        pytest.skip(f"needs all scenarios in one run; without {sorted(folder - run)} says nothing")
    listed = {**VALUES, "gatewayNamespaces": ["of-gateways"]}
    granted = set(_granted(rendered(installed.helm, listed)))
    used = set(_used(installed))
    assert RARE.keys() <= granted
    assert granted - used - RARE.keys() == set()


def _granted(objects: list[dict[str, Any]]) -> Iterator[Right]:
    """What the chart's bindings give to its ServiceAccounts."""
    roles = {_place(it): it["rules"] for it in objects if "rules" in it}
    for binding in objects:
        if not binding["kind"].endswith("Binding"):
            continue
        reference = binding["roleRef"]
        for subject in binding["subjects"]:
            name = subject["name"].removeprefix(f"{RELEASE}-")
            for rule in roles[_place(binding, reference["kind"], reference["name"])]:
                yield from _of_rule(name, rule)


def _place(document: dict[str, Any], kind: str = "", name: str = "") -> tuple[str, str, str]:
    """Of a role itself, or of the one that a binding refers to: kind, namespace, name."""
    kind, metadata = kind or document["kind"], document["metadata"]
    namespace = "" if kind == "ClusterRole" else metadata["namespace"]
    return kind, namespace, name or metadata["name"]


def _of_rule(role: str, rule: dict[str, Any]) -> Iterator[Right]:
    for verb in rule["verbs"]:
        for path in rule.get("nonResourceURLs", ()):
            yield Right(role, verb, "", path)
        for group in rule.get("apiGroups", ()):
            for resource in rule["resources"]:
                yield Right(role, verb, group, resource)


def _used(installed: Installation) -> Iterator[Right]:
    for event in installed.cluster.audit().events():
        user = str(event["user"].get("username", ""))
        if user.startswith(SERVICE_ACCOUNT):
            asked = access(event)
            role = user.removeprefix(SERVICE_ACCOUNT)
            yield Right(role, asked.verb, asked.group, asked.resource)
