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
from support.resources import budget, policy, pool, rule
from support.resources_in_cluster import status, verdict

pytestmark = pytest.mark.timeout(300)

CENT = 10**10


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


def test_a_budget_that_no_table_holds_any_more_goes_on_showing_its_money(
    crds: ControlPlane, namespace: str, hub: HubProcess, replica: ControllerProcess
) -> None:
    """Its policy is deleted, then the hub starts again: what was spent and what is left stay."""
    account = f"{namespace}/team/day"
    crds.kubectl.apply(
        pool(namespace=namespace), policy(rule(), namespace=namespace), budget(namespace=namespace)
    )
    eventually(lambda: _declared(hub, account) is True, within_s=30)
    (lease,) = hub.sync(wants=[{"account": account, "need": CENT, "prefer": CENT}])["leases"]
    spent = {"id": lease["id"], "account": account, "granted": CENT, "spent": CENT, "closed": True}
    hub.sync(seq=2, leases=[spent])
    crds.kubectl.within(namespace)("delete", "rpol", "support")
    eventually(lambda: not _tables(hub), within_s=30)
    eventually(lambda: _declared(hub, account) is False, within_s=30)
    wanted = ("Unknown", "NotBound")
    eventually(lambda: verdict(crds, namespace, "budgets/team", "Enforced") == wanted, within_s=30)
    eventually(lambda: _worst(crds, namespace) == ("0.01", "4.99"), within_s=60)
    hub.kill()
    hub.arguments = ["--listen", hub.address]
    hub.start()
    eventually(lambda: _declared(hub, account) is False, within_s=60)
    assert hub.balance(account)["settled"] == CENT
    assert not replica.ended(), replica.log()


def _declared(hub: HubProcess, account: str) -> bool | None:
    """Whether a table names an account that is shown; None: it is not shown."""
    rows = hub.http.get("/v1/budgets").json()
    return next((row["declared"] for row in rows if row["account"] == account), None)


def _worst(cluster: ControlPlane, namespace: str) -> tuple[str, str]:
    """What the Budget's status says was spent, and is left."""
    worst = status(cluster, namespace, "budgets/team").get("worst", {})
    return worst.get("spent", ""), worst.get("remaining", "")


def _tables(hub: HubProcess) -> list[dict[str, Any]]:
    return list(hub.http.get("/v1/tables").json()["tables"])
