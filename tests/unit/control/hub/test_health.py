"""Who is told that a target is down, by whose word: tenancy, gateways, what is left alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.hub.health import Health, Reported, settled
from pointsman_operator.hub.tables import Fence, PolicyName, Tables
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.sqlite import SqliteStore
from support.ledger_world import HandClock

PROVIDER, GATEWAY = "https://api.example/v1", "https://pointsman-gateway-main.ai.svc:4617/v1"
SHOP, CRM, OWN = ("shop", "p"), ("crm", "p"), ("ai", "p")


@dataclass
class World:
    """Three namespaces' policies over one pool of namespace `ai`, and who was woken."""

    tables: Tables
    clock: HandClock
    woken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.health = Health(self.tables, self, self.clock)

    def changed(self, namespace: str) -> None:
        """A namespace's streams are woken."""
        self.woken.append(namespace)

    async def put(self, policy: PolicyName, url: str, **provider: Any) -> None:
        """A table that calls `main/mini` there."""
        model = {
            "name": "main/mini",
            "pool": {"namespace": "ai", "name": "models"},
            "provider": {"baseURL": url, **provider},
        }
        table = {"policy": {"namespace": policy[0], "name": policy[1]}, "models": [model]}
        content = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
        await self.tables.put(policy, content, Fence("i", 1, "b"))

    def fails(self, policy: PolicyName, *pods: str, class_: str = "Connect") -> None:
        """Some of its sidecars report an outage, and all is judged."""
        outage = Reported.model_validate({"class": class_, "for_ms": 1500, "failed_ms": 100})
        for pod in pods:
            self.health.take(policy, pod, {"main/mini": outage}, {})
        self.health.judge()

    def answered(self, policy: PolicyName, *pods: str) -> None:
        """Some of its sidecars report answers, and all is judged."""
        for pod in pods:
            self.health.take(policy, pod, {}, {"main/mini": 0})
        self.health.judge()

    def told(self, policy: PolicyName) -> dict[str, Any]:
        """What the policy's sidecars are told to be down."""
        news = self.health.news(policy)
        down: dict[str, Any] = json.loads(news[1])["down"] if news else {}
        return down


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """`shop` and `crm` call through the pool's gateway, its own namespace calls the provider."""
    clock = HandClock()
    database = await Database.open(SqliteStore(tmp_path / "x.db"), clock)
    made = World(Tables(database), clock)
    await made.put(SHOP, GATEWAY, gateway={"audience": "ai"})
    await made.put(CRM, GATEWAY, gateway={"audience": "ai"})
    await made.put(OWN, PROVIDER)
    yield made
    await database.close()


async def test_what_a_namespace_says_is_told_to_itself_alone(world: World) -> None:
    """Ten lying pods of a tenant take the pool from no other."""
    world.fails(SHOP, *(f"pod-{number}" for number in range(10)))
    assert world.told(SHOP)["main/mini"]["class"] == "Connect"
    assert world.health.news(CRM) is world.health.news(OWN) is None
    assert world.woken == ["shop"]
    assert world.health.told() == [], "the pool's owner is not told what tenants say"


async def test_what_the_pools_own_namespace_says_is_told_to_all_who_use_it(world: World) -> None:
    """Its gateway and its sidecars call the provider itself."""
    world.fails(OWN, "gateway-1", "gateway-2")
    for policy in (OWN, SHOP, CRM):
        assert list(world.told(policy)) == ["main/mini"]
        assert world.told(policy)["main/mini"].keys() == {"id", "class", "for_ms"}, "no callers"
    (row,) = world.health.told()
    assert (row["namespace"], row["pool"], row["model"], row["class"]) == (
        *("ai", "models", "mini", "Connect"),
    )
    assert set(world.woken) == {"ai", "shop", "crm"}
    world.clock.time_ms += 2_000
    world.answered(OWN, "gateway-1", "gateway-2")
    assert (world.told(SHOP), world.health.told()) == ({}, [])


@pytest.mark.parametrize("class_", ["RateLimit", "Quota", "Auth", "ModelGone"])
async def test_a_key_or_a_quota_says_nothing_of_the_target(world: World, class_: str) -> None:
    """Others may have another key."""
    world.fails(OWN, "a", "b", class_=class_)
    assert world.told(OWN) == {}


async def test_endpoints_that_the_hub_watches_itself_are_left_to_it(world: World) -> None:
    """And so are models that the sidecar's table does not name."""
    await world.put(("ai", "own"), "http://llama.ai.svc:8000/v1", endpoints="Service")
    world.fails(("ai", "own"), "a", "b")
    world.fails(("ai", "nobody"), "a", "b")
    assert world.health.judge() is False
    assert world.health.news(("ai", "own")) is None


async def test_a_pod_that_is_gone_has_no_voice(world: World) -> None:
    """Its word would hold an outage up."""
    world.fails(OWN, "a", "b")
    assert world.told(OWN)
    world.clock.time_ms += 2_000
    world.health.forget("a")
    world.answered(OWN, "c")
    assert world.told(OWN) == {}


async def test_how_long_ago_it_began_is_reckoned_when_it_is_told(world: World) -> None:
    """A stream that opens late must not take its own later answers for earlier ones."""
    world.fails(OWN, "a", "b")
    first = world.told(OWN)["main/mini"]
    world.clock.time_ms += 5_000
    later = world.told(OWN)["main/mini"]
    assert (later["id"], later["for_ms"]) == (first["id"], first["for_ms"] + 5_000)


def test_moments_from_reports_do_not_waver() -> None:
    """Each report reckons anew; a status must not change for that."""
    said = {"main/a": Reported.model_validate({"class": "Connect", "for_ms": 900, "failed_ms": 0})}
    first = settled({}, said, 10_000)
    assert settled(first, said, 11_000) == first
    assert settled(first, said, 20_000) != first, "another outage"
