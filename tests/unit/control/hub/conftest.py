"""One hub process for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub_process import HubProcess, hub_process


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A fresh hub, shared by the module."""
    folder: Path = tmp_path_factory.mktemp("hub")
    with hub_process(folder) as running:
        yield running
