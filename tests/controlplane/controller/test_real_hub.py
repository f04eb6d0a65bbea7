"""Controller and hub as they ship, joined: a hub that lost its database is filled again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.control_plane import ControlPlane
from support.controllers import ControllerProcess, controller, make_home
from support.eventually import eventually
from support.hub_process import HubProcess, hub_process
from support.resources import policy, pool, rule

pytestmark = pytest.mark.timeout(180)


@dataclass
class Opened:
    """A hub outside a cluster: whoever bears its token is let in."""

    hub: HubProcess

    @property
    def url(self) -> str:
        """Where it is."""
        return self.hub.url

    def controllers_token(self) -> str:
        """The hub's own."""
        return self.hub.token


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub on a folder."""
    folder = tmp_path / "hub"
    folder.mkdir()
    with hub_process(folder) as running:
        yield running


@pytest.fixture
def replica(
    crds: ControlPlane, hub: HubProcess, namespace: str, tmp_path: Path
) -> Iterator[ControllerProcess]:
    """A controller of that hub."""
    folder = tmp_path / "replica"
    with controller(make_home(crds), Opened(hub), folder, "--namespaces", namespace) as running:
        yield running


def test_a_hub_that_was_restored_empty_is_filled_again(
    crds: ControlPlane, namespace: str, hub: HubProcess, replica: ControllerProcess
) -> None:
    """Another database under the same address: the controller notices and publishes again."""
    crds.kubectl.apply(pool(namespace=namespace), policy(rule(), namespace=namespace))
    eventually(lambda: _tables(hub), within_s=30)
    before = _tables(hub)
    hub.kill()
    for file in hub.folder.glob("*.db*"):
        file.unlink()
    hub.arguments = ["--listen", hub.address]
    hub.start()
    eventually(lambda: [it["digest"] for it in _tables(hub)] == [before[0]["digest"]], within_s=40)
    assert not replica.ended(), replica.log()


def _tables(hub: HubProcess) -> list[dict[str, Any]]:
    return list(hub.http.get("/v1/tables").json()["tables"])
