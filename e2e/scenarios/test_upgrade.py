"""From the sidecars of an earlier commit to today's, under load, with a table beyond theirs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness import apps, older
from harness.binaries import UnavailableError
from harness.installation import Installation
from harness.kubectl import Kubectl
from harness.provider import PORT, Provider
from support import resources
from support.eventually import eventually
from support.money_world import say

pytestmark = pytest.mark.timeout(900)

CALLING = (apps.PROGRAMS / "calls_until_told.py").read_text()
REPLICAS = 2
SEEN_OK = 20
"""Calls in each pod that tell that it is well."""


@pytest.fixture
def before(installed: Installation) -> Iterator[Installation]:
    """New pods get the sidecar of the commit where injection first worked."""
    try:
        image = older.image()
    except UnavailableError as error:
        pytest.skip(f"a checkout without its history has no older sidecar: {error}")
    installed.cluster.load(image)
    installed.upgrade(image__sidecar__tag=older.TAG)
    yield installed
    installed.upgrade()


def test_an_upgrade_from_the_first_sidecars_loses_no_call(
    before: Installation, restricted: str, tmp_path: Path
) -> None:
    """Old sidecars refuse a table beyond them, go on with the last and are named until replaced."""
    kubectl = before.cluster.kubectl.within(restricted)
    simulated = Provider(before.cluster, restricted)
    pool, policy, budget = apps.three(restricted, simulated.url)
    app = apps.app(replicas=REPLICAS, program=CALLING)
    app["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 20
    kubectl.apply(pool, policy, budget, app)
    with ExitStack() as stack:
        apps.annotate(kubectl)
        kubectl("wait", "--for=condition=Ready", "rpol/support", "--timeout=180s")
        old = _followed(stack, kubectl, tmp_path)
        pool["spec"]["models"].append(_by_pods())
        rule = resources.rule("all", "main/m0", "main/m1")
        kubectl.apply(pool, resources.policy(rule, namespace=restricted))
        outdated = ("False", "SidecarOutdated")
        eventually(lambda: apps.condition(kubectl, "rpol/support", "Programmed") == outdated, 60)
        eventually(lambda: _named(kubectl) == {file.name for file in old}, 60)
        before.upgrade()
        # Injectors of before serve for some seconds more, and what they inject is of before.
        eventually(lambda: before.replaced("injector"), 60)
        eventually(lambda: all(_well(file, 2 * SEEN_OK) for file in old), 60)
        kubectl("rollout", "restart", "deployment/app")
        kubectl("rollout", "status", "deployment/app", "--timeout=180s")
        new = _followed(stack, kubectl, tmp_path)
        programmed = ("True", "Programmed")
        eventually(lambda: apps.condition(kubectl, "rpol/support", "Programmed") == programmed, 60)
        assert "SidecarOutdated" not in apps.explained(kubectl, "rpol/support")
        eventually(lambda: all("ended" in file.read_text() for file in old), 60)
    lines = [line for file in (*old, *new) for line in file.read_text().splitlines()]
    failed = [line for line in lines if not line.startswith(("ok ", "ended"))]
    say(f"{len(lines)} calls across the upgrade, {len(failed)} failed")
    assert failed == []


def _followed(stack: ExitStack, kubectl: Kubectl, folder: Path) -> list[Path]:
    """The logs of the running pods' apps, as files that grow, once all are well."""
    eventually(lambda: len(apps.running(kubectl)) == REPLICAS, 60)
    files = [folder / pod["metadata"]["name"] for pod in apps.running(kubectl)]
    quiet = subprocess.DEVNULL
    for path in files:
        file = stack.enter_context(path.open("w"))
        argv = kubectl.command("logs", "--follow", path.name, "--container=app")
        following = subprocess.Popen(argv, env=kubectl.environment(), stdout=file, stderr=quiet)
        stack.callback(following.wait)
        stack.callback(following.terminate)
    eventually(lambda: all(_well(path, SEEN_OK) for path in files), 60)
    return files


def _named(kubectl: Kubectl) -> set[str]:
    """The running pods that the policy's conditions name."""
    told = apps.explained(kubectl, "rpol/support")
    return {name for pod in apps.running(kubectl) if (name := pod["metadata"]["name"]) in told}


def _well(file: Path, calls: int) -> bool:
    return file.read_text().count("ok sim-m0") >= calls


def _by_pods() -> dict[str, Any]:
    """A model by pod selector: reader 1 has no address for it."""
    endpoints = {"podSelector": {"matchLabels": {"app": "provider"}, "port": PORT}}
    hosted = {"engine": "Custom", "endpoints": endpoints, "servedModelName": "sim-m1"}
    pricing = {"pricing": apps.PRICING, "contextWindow": 65536, "capabilities": ["chat", "tools"]}
    return {"name": "m1", "selfHosted": hosted, **pricing}
