"""What the injector knows of namespaces: watches that resume, and list again when they must."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest

from pointsman_operator.kube import limits
from pointsman_operator.kube.facts import Facts, ObjectWatch

QUOTAS = "/api/v1/resourcequotas"


def quota(name: str, namespace: str = "shop", version: str = "2") -> dict[str, Any]:
    """An object as the API server tells it."""
    metadata = {"name": name, "namespace": namespace, "resourceVersion": version}
    return {"metadata": {**metadata, "managedFields": [{"manager": "x"}]}}


def event(kind: str, item: dict[str, Any]) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


class Server:
    """Answers lists with `objects`, watches with what `say` puts on the line."""

    def __init__(self) -> None:
        self.objects = [quota("a")]
        self.lists: list[dict[str, str]] = []
        self.watches: list[dict[str, str]] = []
        self.refuse = 0
        self.refused = 0
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()

    def streaming(self, silence_s: float = 1.0) -> httpx.AsyncClient:
        """A client of this server."""
        transport = httpx.MockTransport(self._answer)
        return httpx.AsyncClient(transport=transport, base_url="https://api", timeout=silence_s)

    def say(self, line: bytes) -> None:
        """One line for the open watch; an empty one ends it."""
        self._lines.put_nowait(line)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.refuse:
            self.refused += 1
            return httpx.Response(self.refuse, json={"message": "not now"})
        query = dict(request.url.params)
        if "watch" in query:
            self.watches.append(query)
            return httpx.Response(200, content=self._stream())
        self.lists.append(query)
        if "continue" in query:
            return httpx.Response(200, json=_page(self.objects[1:], ""))
        following = "more" if len(self.objects) > 1 else ""
        return httpx.Response(200, json=_page(self.objects[:1], following))

    async def _stream(self) -> AsyncIterator[bytes]:
        while line := await self._lines.get():
            yield line


def _page(items: list[dict[str, Any]], following: str) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "10", "continue": following}, "items": items}


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server whose watchers come back at once."""
    monkeypatch.setattr(limits, "RECONNECT_FIRST_S", 0.01)
    monkeypatch.setattr(limits, "RECONNECT_MOST_S", 0.02)
    return Server()


@pytest.fixture
async def watch(server: Server) -> AsyncIterator[ObjectWatch]:
    """A watch that runs."""
    made = ObjectWatch(server, QUOTAS)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], object]) -> None:
    """Let the watch go on until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def names(watch: ObjectWatch) -> set[str]:
    """What is known of the namespace."""
    return {str(it["metadata"]["name"]) for it in watch.within("shop")}


async def test_a_list_and_its_changes_are_known(server: Server) -> None:
    """All pages are taken, changes followed, other namespaces apart, managed fields dropped."""
    server.objects = [quota("a"), quota("b"), quota("c", "other")]
    watch = ObjectWatch(server, QUOTAS)
    task = asyncio.create_task(watch.run())
    await until(watch.synced.is_set)
    await until(lambda: server.watches)
    assert names(watch) == {"a", "b"}
    assert watch.within("nowhere") == ()
    assert "managedFields" not in watch.within("shop")[0]["metadata"]
    assert server.watches[0]["resourceVersion"] == "10"
    server.say(event("ADDED", quota("d", version="11")))
    server.say(event("DELETED", quota("a", version="12")))
    await until(lambda: names(watch) == {"b", "d"})
    assert watch.age_s() < 10
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_broken_watch_resumes_and_an_expired_one_lists_again(
    server: Server, watch: ObjectWatch
) -> None:
    """The server's end costs nothing; 410 costs a list, which also finds what has gone."""
    await until(lambda: server.watches)
    server.say(event("BOOKMARK", quota("", version="20")))
    server.say(b"")
    await until(lambda: len(server.watches) == 2)
    assert server.watches[1]["resourceVersion"] == "20"
    assert len(server.lists) == 1
    server.objects = [quota("b")]
    server.say(event("ERROR", {"code": 410, "message": "too old"}))
    await until(lambda: names(watch) == {"b"})
    assert len(server.lists) == 2


async def test_what_is_not_understood_or_refused_is_asked_again(
    server: Server, watch: ObjectWatch
) -> None:
    """A garbled line and a server that says no leave what was known, and end by themselves."""
    await until(lambda: server.watches)
    server.refuse = 429
    server.say(b"not JSON\n")
    await until(lambda: server.refused > 1)
    assert names(watch) == {"a"}
    server.objects, server.refuse = [quota("b")], 0
    await until(lambda: names(watch) == {"b"})


async def test_facts_are_answered_from_memory(server: Server) -> None:
    """Before anything is known the answer is 'nothing', at once; the bundle is one ConfigMap's."""
    server.objects = [
        {"metadata": {"name": "ca", "namespace": "own"}, "data": {"ca.crt": "the bundle"}}
    ]
    facts = Facts(server, "own", "ca")
    assert facts.namespace("own", "enabled").quotas == ()
    assert facts.hub_ca() == ""
    assert not facts.synced()
    task = asyncio.create_task(facts.run())
    await until(facts.synced)
    assert facts.hub_ca() == "the bundle"
    assert any(it.get("fieldSelector") == "metadata.name=ca" for it in server.lists)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
