"""One long-lived NDJSON stream a sidecar: table, tuning, fleet, questions, and a ping.

`routes` opens a stream, `Feed` wakes the subscribers that a change concerns. What waits for a slow
subscriber is bounded by design: the newest table and tuning, never a history of them.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pointsman_operator.hub import limits
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.fleet import Sidecar
from pointsman_operator.hub.guarded import NO_WAYS, Guarded, Told
from pointsman_operator.hub.tables import PolicyName, RouteTable, Tables
from pointsman_operator.hub.targets import Served
from pointsman_operator.hub.tickets import Bearer
from pointsman_operator.hub.tunings import Tunings

PING = b'{"event":"ping"}\n'
LEDGER = b'{"event":"ledger"}\n'


class News(Protocol):
    """What sidecars are told of models (`engines.models.Models`, `health.Health`)."""

    def news(self, policy: PolicyName) -> tuple[int, bytes] | None:
        """Revision and line of the event for a policy's sidecars; None: there is none."""
        ...


class Subscriber:
    """What one sidecar has been told, and what it still has to be told."""

    __slots__ = (
        *("_changed", "_woken", "called", "digest", "epoch", "fleet", "health"),
        *("open", "questions", "served", "sidecar", "told"),
    )

    def __init__(self, sidecar: Sidecar, served: Served, digest: str) -> None:
        self.sidecar = sidecar
        self.served = served
        self.digest = digest
        self.epoch: tuple[str, str, int] | None = None
        self.fleet: tuple[str, str, int] | None = None
        self.health: tuple[str, str, int] | None = None
        self.questions: deque[str] = deque(maxlen=limits.QUESTIONS_MAX)
        self.called = False
        """The ledger waits for its sync."""
        self.open = True
        self.told = Told()
        self._changed = False
        self._woken: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Something may have changed."""
        self._changed = True
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def quiet(self, gone: asyncio.Future[None]) -> bool:
        """Wait for a change or for the peer to leave; true when a ping is due instead."""
        if not self._changed:
            self._woken = asyncio.get_running_loop().create_future()
            waiting = [self._woken, gone]
            ping_s = limits.PING_EVERY_S
            await asyncio.wait(waiting, timeout=ping_s, return_when=asyncio.FIRST_COMPLETED)
            self._woken = None
        changed, self._changed = self._changed, False
        return not changed


class Feed:
    """All subscribers, and what concerns them."""

    def __init__(self, tables: Tables, tunings: Tunings, guarded: Guarded) -> None:
        self.models: News | None = None
        """Who knows of self-hosted models; None: nobody yet."""
        self.health: News | None = None
        """Who knows which targets are down; None: nobody yet."""
        self._tables = tables
        self._tunings = tunings
        self._guarded = guarded
        self._subscribers: set[Subscriber] = set()
        self._closed = False

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._subscribers)

    @contextmanager
    def subscribed(self, subscriber: Subscriber) -> Iterator[None]:
        """Count a subscriber while the block runs."""
        self._subscribers.add(subscriber)
        subscriber.open = not self._closed
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)

    def check_room(self) -> None:
        """Whether one more stream may open; raises `HubError`."""
        if self._closed or len(self._subscribers) >= limits.STREAMS_MAX:
            raise HubError(503, "busy", "no more streams here now")

    def changed(self, namespace: str) -> None:
        """A table or tuning of that namespace has changed."""
        for subscriber in self._subscribers:
            if subscriber.served.namespace == namespace:
                subscriber.wake()

    def wake_gateways(self) -> None:
        """Keys, void tickets or certificates have changed."""
        for subscriber in self._subscribers:
            if subscriber.served.gateway:
                subscriber.wake()

    def ask(self, decision: str) -> int:
        """Ask every sidecar for a decision; how many were asked."""
        for subscriber in self._subscribers:
            subscriber.questions.append(decision)
            subscriber.wake()
        return len(self._subscribers)

    def call(self, sidecars: Collection[str]) -> None:
        """Tell sidecars to sync with the ledger now."""
        for subscriber in self._subscribers:
            if subscriber.sidecar.sidecar in sidecars:
                subscriber.called = True
                subscriber.wake()

    def dismiss(self, sidecar: str) -> None:
        """End the streams of one sidecar: its pod is gone."""
        for subscriber in self._subscribers:
            if subscriber.sidecar.sidecar == sidecar:
                subscriber.open = False
                subscriber.wake()

    def close(self) -> None:
        """End every stream: the hub is going down, the sidecars come back to the next one."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.open = False
            subscriber.wake()

    def lines(self, subscriber: Subscriber) -> list[bytes]:
        """What the subscriber has not been told yet."""
        lines: list[bytes] = []
        if subscriber.called:
            lines.append(LEDGER)
            subscriber.called = False
        table = self._tables.serving(subscriber.served)
        if table is not None and table.digest != subscriber.digest:
            lines.append(self._tables.line(table))
            subscriber.digest = table.digest
            # The engine takes a table with the lambdas it was compiled with.
            subscriber.epoch = subscriber.fleet = subscriber.health = None
        lines += self._guarded_lines(subscriber, table)
        tuning = self._tunings.of(table.policy) if table else None
        if table and tuning and (*table.policy, tuning.epoch) != subscriber.epoch:
            lines.append(tuning.line)
            subscriber.epoch = (*table.policy, tuning.epoch)
        news = self.models.news(table.policy) if table and self.models else None
        if table and news and (*table.policy, news[0]) != subscriber.fleet:
            lines.append(news[1])
            subscriber.fleet = (*table.policy, news[0])
        news = self.health.news(table.policy) if table and self.health else None
        if table and news and (*table.policy, news[0]) != subscriber.health:
            lines.append(news[1])
            subscriber.health = (*table.policy, news[0])
        while subscriber.questions:
            question = {"event": "explain", "id": subscriber.questions.popleft()}
            lines.append(json.dumps(question).encode() + b"\n")
        return lines

    def _guarded_lines(self, subscriber: Subscriber, table: RouteTable | None) -> list[bytes]:
        served, pod = subscriber.served, subscriber.sidecar.sidecar
        if served.gateway:
            return self._guarded.for_gateway(subscriber.told, pod)
        ways = self._tables.ways(table) if table else NO_WAYS
        bearer = Bearer(pod, served.namespace, served.workload.replace("/", "_"))
        return self._guarded.for_caller(subscriber.told, ways, bearer)


class StreamAnswer(Response):
    """The stream's body: one coroutine and one future, 51 KiB a stream (docs/decisions.md)."""

    media_type = "application/x-ndjson"

    def __init__(self, feed: Feed, subscriber: Subscriber) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._feed = feed
        self._subscriber = subscriber

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Tell what is new as it comes, until the peer or the hub goes."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        gone = asyncio.ensure_future(_peer_left(receive))
        try:
            with self._feed.subscribed(self._subscriber), self._subscriber.sidecar.streaming():
                await self._follow(send, gone)
        finally:
            gone.cancel()
        if not gone.done():
            await _send(send, b"", more=False)

    async def _follow(self, send: Send, gone: asyncio.Future[None]) -> None:
        # The first line goes out at once, so that the peer knows that it is connected.
        ping = True
        while self._subscriber.open and not gone.done():
            news = self._feed.lines(self._subscriber)
            # Not joined: a table's line is one object for all streams.
            for line in news or ([PING] if ping else []):
                if not await _send(send, line, more=True):
                    return
            ping = await self._subscriber.quiet(gone)


async def _send(send: Send, body: bytes, *, more: bool) -> bool:
    """Whether the peer took it in time."""
    message = {"type": "http.response.body", "body": body, "more_body": more}
    with suppress(TimeoutError):
        async with asyncio.timeout(limits.SEND_WITHIN_S):
            await send(message)
            return True
    return False


async def _peer_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
