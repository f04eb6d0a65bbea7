"""An outage that some sidecars found is avoided by all, and over for all within ten seconds.

The figures at fleet load are `python -m scale --only shared-health` (docs/scale.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.eventually import eventually
from support.health_world import BROKEN, DEAD, UNREACHABLE, HealthWorld, health_world, steadily

pytestmark = pytest.mark.timeout(120)

RETURN_S = 10.0
WITHOUT_A_LOOK_S = 2.5
"""Shorter than any sidecar's pause before a look of its own."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HealthWorld]:
    """Six sidecars, fresh for each test: breakers begin closed."""
    with health_world(tmp_path, 6) as made:
        yield made


def test_sidecars_that_never_called_avoid_what_two_others_found_down(world: HealthWorld) -> None:
    """Not one hit by them; and all are back soon after its recovery, the hub's word included."""
    finders, idle = world.members[:2], world.members[2:]
    world.everyone(lambda member: member.call(), *finders)
    world.a.script(DEAD)
    for finder in finders:
        assert finder.call().model == "main/b"
    world.all_told("main/a")
    told_s = time.monotonic()
    before = world.hits()
    for member in idle:
        assert [member.call().model for _ in range(3)] == ["main/b"] * 3
        assert member.sidecar.state()["targets"]["main/a"] == "Closed", "no call of its own failed"
        assert member.sidecar.metric('pointsman_told_down{model="main/a",provider="sim-a"}') == 1
    assert time.monotonic() - told_s < WITHOUT_A_LOOK_S, "too slow a machine to judge by"
    assert world.hits() == before
    (row,) = world.down()
    assert (row["namespace"], row["pool"], row["model"]) == ("demo", "main", "a")
    assert row["class"] == "Connect"
    recovered_s = time.monotonic()
    world.a.script()
    waits = world.back_after(recovered_s)
    assert max(waits) <= RETURN_S, waits
    world.all_told()
    assert world.down() == []


def test_a_sidecar_that_comes_later_is_told_with_its_table(world: HealthWorld) -> None:
    """Whoever reconnects, too: the outage is a state, not a message that one may have missed."""
    world.a.script(DEAD)
    for finder in world.members[:2]:
        finder.call()
    world.all_told("main/a")
    late = world.members[-1]
    late.sidecar.kill()
    again = type(late.sidecar)(
        world.folder / "s5",
        POINTSMAN_HUB_URL=world.hub.url,
        POINTSMAN_HUB_TOKEN_FILE=str(world.folder / "hub" / "token"),
        POINTSMAN_SIDECAR="sidecar-5",
    )
    try:
        eventually(lambda: again.state()["told_down"] == ["main/a"])
    finally:
        again.kill()


def test_one_sidecar_whose_own_way_is_broken_takes_a_target_from_nobody(world: HealthWorld) -> None:
    """Nor do two of six: the others' calls are answered, and stay where they are."""
    broken, well = world.members[:2], world.members[2:]
    world.everyone(steadily(time.monotonic() + 1), *well)
    world.a.script(UNREACHABLE)
    until_s = time.monotonic() + 6
    for member in well:
        member.seen.clear()
    world.everyone(lambda member: steadily(until_s, BROKEN if member in broken else "app")(member))
    for member in well:
        assert {seen.model for seen in member.seen} == {"main/a"}
    for member in broken:
        assert member.seen[-1].model == "main/b"
    assert world.down() == []
    rows = {row["sidecar"]: row for row in world.hub.http.get("/v1/sidecars").json()}
    assert rows["sidecar-0"]["outages"]["main/a"]["class"] == "Connect"
    assert "outages" not in rows["sidecar-5"]


def test_a_lone_callers_word_holds_until_another_is_answered(world: HealthWorld) -> None:
    """Nobody else has called it, so all are told; one answer of another's own ends it for all."""
    broken, first, *others = world.members
    world.a.script(UNREACHABLE)
    broken.call(BROKEN)
    world.all_told("main/a")
    assert first.call().model == "main/b"
    began_s = time.monotonic()
    assert max(world.back_after(began_s, first)) <= RETURN_S
    world.all_told()
    assert {member.call().model for member in others} == {"main/a"}
    for _ in range(20):
        broken.call(BROKEN)
        assert first.call().model == "main/a", "told or not, its own calls are answered"
    assert world.down() == []


def test_without_the_hub_what_was_told_ends_by_itself_and_all_return(world: HealthWorld) -> None:
    """The hub dies while a target is down; another one learns of the next outage."""
    world.a.script(DEAD)
    for finder in world.members[:2]:
        finder.call()
    world.all_told("main/a")
    world.hub.kill()
    world.everyone(lambda member: member.call())
    recovered_s = time.monotonic()
    world.a.script()
    assert max(world.back_after(recovered_s)) <= RETURN_S
    world.hub.start()
    eventually(
        lambda: (
            all(row["connected"] for row in world.hub.http.get("/v1/sidecars").json())
            and len(world.hub.http.get("/v1/sidecars").json()) == len(world.members)
        ),
        40,
    )
    world.a.script(DEAD)
    for finder in world.members[:2]:
        finder.call()
    world.all_told("main/a")
