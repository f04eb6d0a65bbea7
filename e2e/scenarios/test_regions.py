"""Where answers may come from is the pool owner's to say, whatever a tenant does."""

from __future__ import annotations

from typing import Any

import pytest

from harness import apps
from harness.installation import Installation
from harness.kubectl import Kubectl
from harness.provider import Provider
from support import resources
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

ASKING = (apps.PROGRAMS / "asking.py").read_text()
NO_TABLE, NOT_FOUND = "503 no_table", "404 model_not_found"


def test_a_tenant_cannot_leave_the_pools_regions(installed: Installation, restricted: str) -> None:
    """Without a policy there is no way out; a hostile one gets `LooserThanPool` and stays in.

    When it is deleted the way ends again, and what we had written is gone.
    """
    kubectl = installed.cluster.kubectl.within(restricted)
    here, abroad = (Provider(installed.cluster, restricted, name) for name in ("here", "abroad"))
    models = apps.model("m0", here.url), apps.model("m1", abroad.url)
    for model, region in zip(models, ("eu", "us"), strict=True):
        model["provider"]["region"] = region
    models[1]["aliases"] = ["cheap"]
    floor = {"allowedRegions": ["eu"]}
    kubectl.apply(resources.pool(*models, namespace=restricted, constraints=floor), apps.app())
    apps.annotate(kubectl)
    assert _asked(kubectl, "auto", "main/m1") == [NO_TABLE] * 3
    rule = resources.rule("all", "main/m1", "main/m0") | {"when": {"models": ["auto"]}}
    hostile: dict[str, Any] = {
        "residency": {"allowedRegions": ["eu", "us"]},
        "default": {"action": "PassThrough"},
    }
    kubectl.apply(resources.policy(rule, namespace=restricted, **hostile))
    accepted = ("False", "LooserThanPool")
    eventually(lambda: apps.condition(kubectl, "rpol/support", "Accepted") == accepted, 30)
    eventually(lambda: apps.condition(kubectl, "rpol/support", "Programmed")[0] == "True", 30)
    refused = apps.explained(kubectl, "mpool/main")
    assert "its region is us, spec.constraints allow eu" in refused
    listed, auto, *others = _asked(kubectl, "auto", "main/m1", "m1", "sim-m1", "cheap")
    assert "m1" not in listed
    assert auto == "sim-m0"
    assert others == [NOT_FOUND] * 4
    kubectl("delete", "rpol/support")
    eventually(lambda: "configmap/pointsman" not in kubectl("get", "configmaps", "-o", "name"), 30)
    eventually(lambda: _asked(kubectl, "auto")[-1].startswith("503 "), 30)
    assert abroad.stats()["requests"] == 0


def _asked(kubectl: Kubectl, *names: str) -> list[str]:
    """The names that are listed, then what came of a call for each of these."""
    said = kubectl.exec("deployment/app", "python3", "-c", ASKING, *names, container="app")
    return said.splitlines()
