"""The fixtures of the test cluster with its node, and Pointsman installed on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import provider, sdk
from harness.cluster import Cluster
from harness.fixtures import cluster, restricted
from harness.installation import HOME, Installation
from harness.production import Builder

__all__ = ["cluster", "restricted"]


@pytest.fixture(scope="session")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Both images built and loaded, the chart installed; scenarios share it."""
    folder = tmp_path_factory.mktemp("installation")
    building = Builder(folder, cluster.ca)
    building.build()
    made = Installation(cluster, folder)
    made.load(building)
    cluster.load(provider.image(folder))
    cluster.load(sdk.image(folder))
    cluster.volume("ledger")
    made.install()
    yield made
    cluster.api.delete(f"/api/v1/namespaces/{HOME}")
