"""pytest fixtures of the test cluster; a conftest.py imports those that its tests use."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from harness.binaries import UnavailableError
from harness.control_plane import ControlPlane

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
    with running:
        yield running


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> ControlPlane:
    """The same control plane with our custom resources installed."""
    control_plane.install(*CRDS)
    return control_plane


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace, named after the test, deleted after it without waiting.

    It is complete, with the ServiceAccount `default` that pods of a real one find as well.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:SLUG_LENGTH]
    name = f"{slug.rstrip('-')}-{secrets.token_hex(3)}"
    control_plane.api.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    control_plane.supervisor.until(
        lambda: control_plane.api.reaches(account), f"namespace {name} is complete", COMPLETE_S
    )
    yield name
    control_plane.api.delete(f"/api/v1/namespaces/{name}")


def unavailable(error: UnavailableError) -> NoReturn:
    """Skip, loudly; fail where nothing may be skipped."""
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(f"{error} ({REQUIRE_ALL} is set)")
    pytest.skip(str(error))
