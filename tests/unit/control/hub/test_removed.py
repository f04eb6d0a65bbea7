"""Whom a deleted policy's empty table reaches: those that it served and nobody else does."""

from __future__ import annotations

from pathlib import Path

from pointsman_operator.hub.tables import Fence, Tables
from pointsman_operator.hub.targets import Served, Target
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.sqlite import SqliteStore
from support.hub_process import route_table
from support.ledger_world import HandClock

FENCE = Fence("installation", 1, "boot")
WEB = Served("demo", "web", {"app": "web", "tier": "front"})
JOB = Served("demo", "job", {"app": "job"})
POLICY = ("demo", "support")


async def test_by_labels_it_reaches_the_pods_that_it_served(tmp_path: Path) -> None:
    """Also after a restart; another policy for the same pods comes first, put again it serves."""
    content, target = route_table(), Target(labels={"app": "web"}, order=(0, "2026", "support"))
    database = await Database.open(SqliteStore(tmp_path / "hub.db"), HandClock())
    tables = Tables(database)
    await tables.put(POLICY, content, FENCE, target)
    await tables.remove(POLICY, FENCE)
    reread = Tables(database)
    await reread.load()
    for known in (tables, reread):
        ended = known.serving(WEB)
        assert ended is not None
        assert ended.content()["removed"] is True
        assert known.serving(JOB) is None
    wide = Target(labels={}, order=(0, "2026", "wide"))
    other = await tables.put(("demo", "wide"), route_table(policy="wide"), FENCE, wide)
    assert tables.serving(WEB) == other
    await tables.remove(("demo", "wide"), FENCE)
    again = await tables.put(POLICY, content, FENCE, target)
    assert tables.serving(WEB) == again
    await database.close()
