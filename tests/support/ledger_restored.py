"""A ledger that is set back to backups while its holders go on (`ledger.readmitting`)."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from pointsman_operator.ledger.database import Store
from support.ledger_machine import HOLDERS, LedgerMachine
from support.ledger_world import sqlite_at, want


class RestoredLedgerMachine(LedgerMachine):
    """The same, and a backup is taken and restored at any time.

    What a backup cannot know is allowed to be spent beside new grants, and nothing else: leases of
    holders that are gone and of those that do not come within the minute in which nothing is
    granted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backup = b""
        self.gone: defaultdict[str, int] = defaultdict(int)
        """Spent from leases that nobody will report again, by window."""
        self.gone_before: dict[str, int] = {}
        """The same when the backup was taken."""
        self.awaited: set[str] = set()
        """Who has not come since the restore."""
        self.a_backup_is_taken()

    @contextmanager
    def new_store(self) -> Iterator[Callable[[], Store]]:
        """An empty file, for one example."""
        with tempfile.TemporaryDirectory() as folder:
            self.file = Path(folder) / "ledger.db"
            yield sqlite_at(self.file)

    @rule()
    def a_backup_is_taken(self) -> None:
        """Of a hub that is down."""
        self.world.run(self.world.shut())
        self.backup, self.gone_before = self.file.read_bytes(), dict(self.gone)
        self.world.run(self.world.open())

    @rule(first=st.lists(HOLDERS, max_size=3))
    def the_backup_is_restored(self, first: list[str]) -> None:
        """What was committed since is lost; some ask as soon as the hub is back, others later."""
        self.world.run(self.world.shut())
        self.file.write_bytes(self.backup)
        self.world.run(self.world.open())
        self.world.run(self.world.ledger.begin_incarnation("test"))
        for window, spent in self.gone.items():
            unknown = spent - self.gone_before.get(window, 0)
            self.slack[window] += unknown
            self.vanished[window] += unknown
        # They are lost for good, and have been allowed for.
        self.gone = defaultdict(int, self.gone_before)
        self.awaited = {name for name, book in self.holders.items() if book.leases}
        for name in first:
            self.sync(name, self.holders[name].request(want(1, 1000)), heard=True)

    @rule(name=HOLDERS)
    def vanishes(self, name: str) -> None:
        """A pod that is gone may have held what the backup does not know."""
        self.allow_for(name)
        self.bury(name)
        super().vanishes(name)

    @rule(name=HOLDERS)
    def crashes(self, name: str) -> None:
        """The journal is reported, then it is gone."""
        self.awaited.discard(name)
        self.bury(name)
        super().crashes(name)

    def bury(self, name: str) -> None:
        """Nobody will report a holder's leases again."""
        for lease in self.holders[name].leases.values():
            self.gone[lease.window] += lease.spent

    def allow_for(self, name: str) -> None:
        """A holder that did not come: others are granted what it may spend."""
        if name in self.awaited:
            for lease in self.holders[name].leases.values():
                self.slack[lease.window] += lease.granted
        self.awaited.discard(name)

    @rule(minutes=LedgerMachine.MINUTES)
    def time_passes(self, minutes: int) -> None:
        """A minute is as long as holders are waited for."""
        for name in list(self.awaited):
            self.allow_for(name)
        super().time_passes(minutes)

    def sync(self, name: str, request: dict[str, Any], *, heard: bool) -> None:
        """Who comes is known from then on."""
        super().sync(name, request, heard=heard)
        self.awaited.discard(name)
