"""A cluster with our resources, a home for the controller, a hub, one running replica."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.control_plane import ControlPlane
from harness.fixtures import control_plane, crds, namespace
from support.cluster_hub import ClusterHub, cluster_hub
from support.controllers import ControllerProcess, Home, controller, make_home

__all__ = ["control_plane", "crds", "namespace"]


@pytest.fixture(scope="module")
def home(crds: ControlPlane) -> Home:
    """The operator's own namespace."""
    return make_home(crds)


@pytest.fixture(scope="module")
def hub() -> Iterator[ClusterHub]:
    """A scripted hub."""
    with cluster_hub() as running:
        yield running


@pytest.fixture(scope="module")
def replica(
    home: Home, hub: ClusterHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControllerProcess]:
    """A controller that leads."""
    folder: Path = tmp_path_factory.mktemp("replica")
    with controller(home, hub, folder) as running:
        yield running
