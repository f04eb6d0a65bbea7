"""The cluster's public keys: asked for once, however many tokens name one that is new."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pointsman_operator.kube.connection import connect
from pointsman_operator.kube.tokens import Keys
from support.counted_cluster import counted_cluster


async def test_who_comes_while_the_keys_are_read_waits_for_them(tmp_path: Path) -> None:
    """A whole fleet with a new key's tokens: every one finds it, and none costs a review."""
    with counted_cluster() as cluster:
        keys = Keys(connect(cluster.kubeconfig(tmp_path)), tmp_path / "keys.json")
        found = await asyncio.gather(*(keys.find("key-0") for _ in range(50)))
        assert all(found)
        cluster.rotate()
        # Asked a moment ago: a key id that is made up costs the API server nothing.
        assert await keys.find("key-1") is None
