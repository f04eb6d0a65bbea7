"""What waits for a subscriber is bounded, however slow it is and however much changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.hub import limits
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.feed import Feed, StreamAnswer, Subscriber
from pointsman_operator.hub.fleet import Fleet
from pointsman_operator.hub.guarded import Guarded
from pointsman_operator.hub.tables import Fence, Tables
from pointsman_operator.hub.targets import Served
from pointsman_operator.hub.tickets import Tickets
from pointsman_operator.hub.tunings import Tunings
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.sqlite import SqliteStore
from support.hub_process import route_table
from support.ledger_world import HandClock

POLICY = ("demo", "support")
FIRST = Fence("i", 1, "b")


@dataclass
class Peer:
    """The other end of a stream, which takes lines only when it is told to."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    got: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Any) -> None:
        """Take a message, as slowly as it pleases."""
        await self.reading.wait()
        if message.get("body"):
            self.taken.append(json.loads(message["body"]))
            self.got.set()

    async def receive(self) -> dict[str, Any]:
        """Nothing, until it leaves."""
        await self.left.wait()
        return {"type": "http.disconnect"}


@dataclass
class World:
    """A feed over a real database."""

    tables: Tables
    feed: Feed
    fleet: Fleet

    async def put(self, number: int) -> str:
        """Another table."""
        content = route_table(catalogue=str(number))
        table = await self.tables.put(POLICY, content, FIRST)
        self.feed.changed("demo")
        return table.digest

    def follow(self, peer: Peer, subscriber: Subscriber) -> asyncio.Task[None]:
        """Open a stream to the peer."""
        answer = StreamAnswer(self.feed, subscriber)
        return asyncio.create_task(answer({"type": "http"}, peer.receive, peer.send))


def _subscriber(world: World, workload: str = "support") -> Subscriber:
    return Subscriber(world.fleet.heard("s", "1"), Served("demo", workload, None), "")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Nothing put yet."""
    database = await Database.open(SqliteStore(tmp_path / "x.db"), HandClock())
    tables = Tables(database)
    yield World(
        tables, Feed(tables, Tunings(database), Guarded(Tickets(database))), Fleet(database.clock)
    )
    await database.close()


async def test_a_slow_subscriber_gets_the_newest_table_not_every_one(world: World) -> None:
    """Ten changes while it does not read: the first line that was on its way, then the newest."""
    peer = Peer()
    first = await world.put(0)
    stream = world.follow(peer, _subscriber(world))
    newest = [await world.put(number) for number in range(1, 11)][-1]
    peer.reading.set()
    while not any(event.get("digest") == newest for event in peer.taken):
        peer.got.clear()
        await asyncio.wait_for(peer.got.wait(), timeout=10)
    assert [e["digest"] for e in peer.taken if e["event"] == "table"] in ([first, newest], [newest])
    peer.left.set()
    await asyncio.wait_for(stream, timeout=10)
    assert len(world.feed) == 0


async def test_questions_for_a_slow_subscriber_are_bounded(world: World) -> None:
    """The oldest questions are dropped: who asked them has given up by then."""
    subscriber = _subscriber(world)
    with world.feed.subscribed(subscriber):
        for number in range(limits.QUESTIONS_MAX + 5):
            assert world.feed.ask(f"pm-{number}") == 1
        asked = [json.loads(line)["id"] for line in world.feed.lines(subscriber)]
    assert asked == [f"pm-{number}" for number in range(5, limits.QUESTIONS_MAX + 5)]


async def test_who_is_called_hears_it_once_and_nobody_else_does(world: World) -> None:
    """However often it was called before it could be told."""
    mine = _subscriber(world)
    other = Subscriber(world.fleet.heard("t", "1"), Served("demo", "support", None), "")
    with world.feed.subscribed(mine), world.feed.subscribed(other):
        world.feed.call({"s", "gone"})
        world.feed.call({"s"})
        assert [json.loads(line) for line in world.feed.lines(mine)] == [{"event": "ledger"}]
        assert [*world.feed.lines(mine), *world.feed.lines(other)] == []


async def test_a_subscriber_that_takes_nothing_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resumes by its digest when it reads again."""
    monkeypatch.setattr(limits, "SEND_WITHIN_S", 0.01)
    peer = Peer()
    stream = world.follow(peer, _subscriber(world))
    peer.reading.set()
    await asyncio.wait_for(peer.got.wait(), timeout=10)
    peer.reading.clear()
    await world.put(1)
    await asyncio.wait_for(stream, timeout=10)
    assert [entry.connected for entry in world.fleet] == [False]


async def test_a_ping_is_due_only_when_nothing_else_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence ends with a ping; a change that does not concern a subscriber is not one."""
    monkeypatch.setattr(limits, "PING_EVERY_S", 0.01)
    peer = Peer()
    peer.reading.set()
    stream = world.follow(peer, _subscriber(world))
    while len(peer.taken) < 3:
        peer.got.clear()
        await asyncio.wait_for(peer.got.wait(), timeout=10)
    assert {event["event"] for event in peer.taken} == {"ping"}
    world.feed.close()
    await asyncio.wait_for(stream, timeout=10)
    with pytest.raises(HubError, match="no more streams"):
        world.feed.check_room()


async def test_a_change_elsewhere_says_nothing(world: World) -> None:
    """A subscriber of another namespace sleeps on; one of the same wakes and has no news."""
    subscriber = _subscriber(world, "other")
    await world.put(1)
    await world.tables.put(("demo", "other"), route_table(policy="other"), FIRST)
    with world.feed.subscribed(subscriber):
        assert len(world.feed.lines(subscriber)) == 1
        await world.put(2)
        assert not await subscriber.quiet(asyncio.get_running_loop().create_future())
        assert world.feed.lines(subscriber) == []


class Loads:
    """What is known of self-hosted models."""

    def __init__(self) -> None:
        self.revision = 1

    def news(self, policy: tuple[str, str]) -> tuple[int, bytes] | None:
        """The same for every policy of the namespace."""
        line = b'{"event":"fleet","rev":%d,"models":{}}\n' % self.revision
        return (self.revision, line) if policy == POLICY else None


async def test_the_fleet_is_told_after_a_table_and_on_change_only(world: World) -> None:
    """A new table is followed by it again, because it may name other models."""
    world.feed.models = loads = Loads()
    subscriber = _subscriber(world)

    def told() -> list[str]:
        return [json.loads(line)["event"] for line in world.feed.lines(subscriber)]

    assert told() == []
    await world.put(1)
    assert (told(), told()) == (["table", "fleet"], [])
    loads.revision = 2
    assert (told(), told()) == (["fleet"], [])
    await world.put(2)
    assert told() == ["table", "fleet"]


async def test_streams_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than there may be is told to come back."""
    monkeypatch.setattr(limits, "STREAMS_MAX", 1)
    world.feed.check_room()
    with world.feed.subscribed(_subscriber(world)):
        with pytest.raises(HubError) as caught:
            world.feed.check_room()
        assert caught.value.status == 503


def test_the_fleet_forgets_those_longest_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded; a connected one stays, whenever it spoke last."""
    monkeypatch.setattr(limits, "SIDECARS_MAX", 2)
    fleet = Fleet(HandClock())
    with fleet.heard("a", "1").streaming():
        for name in ("b", "c", "d"):
            fleet.heard(name, "1")
        assert [entry.sidecar for entry in fleet] == ["a", "d"]
