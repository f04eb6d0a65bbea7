"""pytest fixtures of the test cluster; a conftest.py imports those that its tests use."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from harness import images
from harness.binaries import UnavailableError
from harness.cluster import Cluster
from harness.control_plane import ControlPlane
from harness.pods import RESTRICTED

ROOT = Path(__file__).resolve().parents[2]
CRDS = sorted((ROOT / "crds").glob("*.pointsman.dev.yaml"))
REQUIRE_ALL = "POINTSMAN_REQUIRE_ALL"
"""Set where a test that cannot run is a failure: CI."""
SLUG_LENGTH = 40
COMPLETE_S = 30.0


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane for the whole run; tests keep to namespaces of their own."""
    try:
        running = ControlPlane()
    except UnavailableError as error:
        unavailable(error)
    with running, kept_logs(running, "control-plane"):
        yield running


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> ControlPlane:
    """The same control plane with our custom resources installed."""
    control_plane.install(*CRDS)
    return control_plane


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with a node for the whole run, our custom resources installed."""
    try:
        running = Cluster()
    except UnavailableError as error:
        unavailable(error)
    with running, kept_logs(running, "cluster"):
        running.install(*CRDS)
        running.load(images.python())
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace of the control plane, named after the test, deleted after it."""
    with fresh_namespace(control_plane, request.node.name) as name:
        yield name


@pytest.fixture
def restricted(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace of the cluster that admits only what pod security calls restricted."""
    with fresh_namespace(cluster, request.node.name, RESTRICTED) as name:
        yield name


@contextmanager
def kept_logs(running: ControlPlane, name: str) -> Iterator[None]:
    """The components' logs of the last run stay in `build/logs/`: the cluster's folder goes."""
    try:
        yield
    finally:
        running.supervisor.keep_logs(ROOT / "build" / "logs" / name)


@contextmanager
def fresh_namespace(
    running: ControlPlane, title: str, labels: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A namespace named after a title, deleted at the end without waiting for it.

    It is complete, with the ServiceAccount `default` that pods of a real one find as well.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:SLUG_LENGTH]
    name = f"{slug.rstrip('-')}-{secrets.token_hex(3)}"
    metadata = {"name": name, "labels": dict(labels or {})}
    running.api.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    )
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    running.supervisor.until(
        lambda: running.api.reaches(account), f"namespace {name} is complete", COMPLETE_S
    )
    yield name
    running.api.delete(f"/api/v1/namespaces/{name}")


def unavailable(error: UnavailableError) -> NoReturn:
    """Skip, loudly; fail where nothing may be skipped."""
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(f"{error} ({REQUIRE_ALL} is set)")
    pytest.skip(str(error))
