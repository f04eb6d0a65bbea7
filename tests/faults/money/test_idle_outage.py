"""A hub that is gone is noticed by a sidecar that has nothing to do, too."""

from __future__ import annotations

from support.eventually import eventually
from support.money_world import DOLLAR, MoneyWorld, a_budget

NOTICED_S = 10.0
AWAY = "pointsman_ledger_away"


def test_an_idle_sidecar_shows_a_dead_hub_long_before_its_next_renewal(world: MoneyWorld) -> None:
    """The lease is renewed every 30 s; the broken stream tells within ten."""
    world.put(a_budget(DOLLAR, enforcement={"outageHorizonSeconds": 900}))
    sidecar = world.start_sidecar()
    eventually(lambda: sidecar.state()["money"]["demo/team/day"]["free"] > 0)
    assert (sidecar.state()["ledger_is_away"], sidecar.metric(AWAY)) == (False, 0)
    world.hub.kill()
    eventually(lambda: sidecar.state()["ledger_is_away"], NOTICED_S)
    assert sidecar.metric(AWAY) == 1
    assert "cannot be reached" in sidecar.state()["ledger"]
    world.hub.start()
    eventually(lambda: not sidecar.state()["ledger_is_away"], NOTICED_S)
    assert (sidecar.metric(AWAY), sidecar.state()["ledger"]) == (0, "ok")
