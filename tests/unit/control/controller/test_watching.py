"""kopf's thread: it ends whenever it is told to."""

from __future__ import annotations

import asyncio

from kubernetes.client import Configuration

from pointsman_operator.controller.watching import Watcher
from pointsman_operator.kube.connection import Connection


def test_one_that_never_began_has_ended() -> None:
    """A controller that is told to leave while it starts leaves in order, its Lease released."""

    async def lives() -> bool:
        watcher = Watcher(Connection(Configuration()), (), lambda *_: None)
        await watcher.stop()
        return watcher.alive

    assert not asyncio.run(lives())
