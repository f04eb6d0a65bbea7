"""Models followed and told: with a place whose endpoints the test sets, and real engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.hub.engines import limits
from pointsman_operator.hub.engines.pools import Pools
from pointsman_operator.hub.engines.routers import Seen
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.tables import Fence
from pointsman_operator.kube.endpoints import Place
from support.engines import engines
from support.models_world import (
    FENCE,
    POLICY,
    POOL,
    SERVICE,
    ModelsWorld,
    model_figures,
    models_world,
    until,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ModelsWorld]:
    """Running, with nothing put."""
    async with models_world(tmp_path) as made:
        yield made


def levels(world: ModelsWorld) -> dict[str, int]:
    """By URL, of what may be called."""
    rows = world.told().get("main/local", {}).get("endpoints", ())
    return {row["url"]: row["level"] for row in rows}


async def test_only_what_a_table_names_is_watched(world: ModelsWorld) -> None:
    """And no longer than it does."""
    await world.put(SERVICE)
    await until(lambda: len(world.spots) == 1)
    assert world.spots[0].place == Place("demo", "vllm", (), 8000)
    await world.tables.remove(POLICY, FENCE)
    world.models.changed()
    await until(lambda: not list(world.models))


async def test_nothing_is_told_before_it_is_known(world: ModelsWorld) -> None:
    """An endpoint is called only after its engine was asked whether it sleeps."""
    with engines(2) as (awake, sleeper):
        sleeper.sleeps(asleep=True)
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        assert world.told() == {}
        world.spots[0].tell(awake.url, sleeper.url)
        await until(lambda: levels(world) == {awake.url: 0})
        assert "demo" in world.woken
        sleeper.sleeps(asleep=False)
        await until(lambda: levels(world) == {awake.url: 0, sleeper.url: 0})


async def test_a_full_engine_is_told_and_its_return_too(world: ModelsWorld) -> None:
    """Level 4 while calls wait, 0 some seconds after; the controller hears of what lasts."""
    with engines(1) as (engine,):
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        world.spots[0].tell(engine.url)
        await until(lambda: levels(world) == {engine.url: 0})
        engine.waits(5)
        await until(lambda: levels(world) == {engine.url: 4})
        await until(lambda: world.models.told()[0]["saturated"])
        assert world.controller
        engine.waits(0)
        await until(lambda: levels(world) == {engine.url: 0})


async def test_states_say_why_nobody_can_be_called(world: ModelsWorld) -> None:
    """Absent, starting, asleep; and a vanished endpoint is told at once."""

    def state() -> str:
        return str(world.told().get("main/local", {}).get("state"))

    with engines(1) as (engine,):
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        world.spots[0].tell()
        await until(lambda: state() == "Absent")
        world.spots[0].tell(engine.url, ready=False)
        await until(lambda: state() == "Starting")
        engine.sleeps(asleep=True)
        world.spots[0].tell(engine.url)
        await until(lambda: state() == "Asleep")
        engine.sleeps(asleep=False)
        await until(lambda: state() == "Ready")
        world.spots[0].tell()
        await until(lambda: state() == "Absent")


async def test_what_is_there_and_takes_no_calls_is_told_apart_from_what_left(
    world: ModelsWorld,
) -> None:
    """Calls stay at an engine on its way out; a sleeper and a vanished one let them go."""

    def told() -> dict[str, Any]:
        return dict(world.told().get("main/local", {}))

    with engines(2) as (stays, leaves):
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        world.spots[0].tell(stays.url, leaves.url)
        await until(lambda: len(levels(world)) == 2)
        assert told()["unready"] == []
        world.spots[0].tell(leaves.url, ready=False)
        await until(lambda: told()["unready"] == [leaves.url])
        assert told()["state"] == "Starting"
        leaves.sleeps(asleep=True)
        await until(lambda: told()["unready"] == [])
        world.spots[0].tell()
        await until(lambda: told() == {"state": "Absent", "endpoints": [], "unready": []})


async def test_an_engine_without_figures_is_called_by_what_routers_see(world: ModelsWorld) -> None:
    """A page that is no page, too large, or not there: listed all the same."""
    with engines(1) as (engine,):
        engine.status = 500
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        world.spots[0].tell(engine.url)
        await until(lambda: levels(world) == {engine.url: 0})
        said = {"main/local": {engine.url: Seen(first_token_ms=9_000, served=1)}}
        world.models.take(POLICY, ("pod", "1"), said)
        await until(lambda: levels(world) == {engine.url: 4})
        assert engine.asked.count("/metrics") >= 1


async def test_older_engines_are_asked_whether_they_sleep(world: ModelsWorld) -> None:
    """Where the figures do not say; an answer that is none costs nothing but that."""
    with engines(2) as (awake, sleeper):
        awake.sleep_answer, sleeper.sleep_answer = b"no JSON", b'{"is_sleeping": true}'
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        world.spots[0].tell(awake.url, sleeper.url)
        await until(lambda: levels(world) == {awake.url: 0})
        sleeper.sleep_answer = b'{"is_sleeping": false}'
        await until(lambda: levels(world) == {awake.url: 0, sleeper.url: 0})


async def test_reports_count_only_for_the_reporters_own_models(world: ModelsWorld) -> None:
    """Another policy's router, or an address that is no endpoint, changes nothing."""
    with engines(1) as (engine,):
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        world.spots[0].tell(engine.url)
        await until(lambda: levels(world) == {engine.url: 0})
        said = {"main/local": {engine.url: Seen(first_token_ms=9_000, served=1)}}
        world.models.take(("demo", "other"), ("pod", "1"), said)
        world.models.take(
            POLICY, ("pod", "1"), {"main/local": {"http://10.0.0.9:1": Seen(served=9)}}
        )
        (watch,) = (watch for _, watch in world.models)
        now_s = asyncio.get_running_loop().time()
        assert watch.endpoints[engine.url].routers.first_token_ms(now_s) is None


async def test_a_page_is_bounded(world: ModelsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless page is given up, and no figure of it counts."""
    monkeypatch.setattr(limits, "PAGE_BYTES_MAX", 1_000)
    with engines(1) as (engine,):
        engine.page = "vllm:num_requests_waiting 99\n" + "#" * 2_000 + "\n"
        await world.put(SERVICE)
        await until(lambda: len(world.spots) == 1)
        world.spots[0].tell(engine.url)
        await until(lambda: levels(world) == {engine.url: 0})


async def test_pools_survive_a_restart_and_keep_the_fence(world: ModelsWorld) -> None:
    """What was handed over is there after a restart; an older controller changes nothing."""
    await world.put(SERVICE)
    again = Pools(world.pools._database, world.tables)
    await again.load()
    assert [(it.name, it.digest) for it in again] == [(it.name, it.digest) for it in world.pools]
    with pytest.raises(HubError, match="no longer leads"):
        await world.pools.remove(POOL, Fence("i", 1, "a"))
    content = next(iter(world.pools)).content.canonical()
    with pytest.raises(HubError, match="not the document"):
        await world.pools.put(("demo", "other"), content, FENCE)
    with pytest.raises(HubError):
        await world.pools.put(POOL, b"{}", FENCE)
    await world.pools.remove(POOL, FENCE)
    assert list(world.pools) == []


async def test_the_hubs_metrics_show_them(tmp_path: Path) -> None:
    """Endpoints by state, saturation, and what the accelerators behind them cost an hour."""
    page = await model_figures(tmp_path)
    of = '{model="main/local",pool="demo/main"'
    assert f'pointsman_model_endpoints{of},state="ready"}} 1.0' in page
    assert f'pointsman_model_endpoints{of},state="asleep"}} 1.0' in page
    assert f"pointsman_model_saturation_ratio{of}}} 0.0" in page
    assert f"pointsman_model_hour_cost_usd{of}}} 0.1" in page
