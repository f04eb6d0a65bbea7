"""Helm, without a cluster."""

from __future__ import annotations

import pytest

from harness.binaries import UnavailableError
from harness.fixtures import unavailable
from harness.helm import Helm


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm with a configuration of its own."""
    try:
        return Helm(tmp_path_factory.mktemp("helm"))
    except UnavailableError as error:
        unavailable(error)
