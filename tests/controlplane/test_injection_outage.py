"""The injector away: each namespace's pods do as its owner chose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from support.injection_world import InjectionWorld, plain

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def world(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InjectionWorld]:
    """An installation whose injector was killed."""
    installed = InjectionWorld.installed(control_plane, tmp_path_factory.mktemp("injector"))
    try:
        installed.start()
        assert installed.injector is not None
        installed.injector.__exit__()
        yield installed
    finally:
        installed.close()


def test_pods_of_an_enabled_namespace_start_without_router(
    world: InjectionWorld, namespace: str
) -> None:
    """`enabled` prefers the app; so does a pod's own label."""
    world.label(namespace, injection="enabled")
    asked = plain(labels={"pointsman.dev/inject": "true"})
    assert "initContainers" not in world.tried(namespace, asked)["spec"]


def test_pods_of_a_required_namespace_are_refused(world: InjectionWorld, namespace: str) -> None:
    """`required` prefers the router: the refusal names the webhook; an opted-out pod starts."""
    world.label(namespace, injection="required")
    refusals: list[str] = []

    def refused() -> bool:
        try:
            world.tried(namespace)
        except RefusedError as error:
            refusals.append(error.message)
        return bool(refusals)

    world.until(refused)
    assert "required.pods.pointsman.dev" in refusals[0]
    out = plain(labels={"pointsman.dev/inject": "false"})
    assert "initContainers" not in world.tried(namespace, out)["spec"]


def test_annotating_a_workload_goes_through_unlabelled(
    world: InjectionWorld, namespace: str
) -> None:
    """Nobody's deployment waits for us; the next write of the workload labels it."""
    kubectl = world.cluster.kubectl.within(namespace)
    kubectl("create", "deployment", "shop", "--image=example/app:1")
    kubectl("annotate", "deployment", "shop", "pointsman.dev/inject=true")
    labels = kubectl.json("get", "deployment", "shop")["spec"]["template"]["metadata"]["labels"]
    assert "pointsman.dev/inject" not in labels
