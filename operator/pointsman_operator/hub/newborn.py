"""A ledger that has just been made judges no Budget before its table has come.

Its predecessor's sidecars are there before the controller has published everything again: told that
their Budgets are unknown they would refuse every call. Unanswered they go on with what they hold.
"""

from __future__ import annotations

from pointsman_operator.hub import limits
from pointsman_operator.hub.tables import Tables
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.errors import StoreUnavailable
from pointsman_operator.ledger.messages import SyncRequest


class Newborn:
    """What a sync is checked against before the ledger sees it, in the ledger's first minute.

    It is told of each namespace whose tables changed, and forgets all once that minute is over.
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._tables = tables
        self._declared: dict[str, frozenset[str]] = {}
        """Accounts that tables have declared since the start, by namespace, gone ones included."""
        for namespace, _ in tables.policies():
            self.heard(namespace)

    def heard(self, namespace: str) -> None:
        """The namespace's tables are others now."""
        if self._over():
            return
        known = self._declared.get(namespace, frozenset())
        self._declared[namespace] = known | self._tables.accounts_of(namespace)

    def check(self, request: SyncRequest, namespace: str | None) -> None:
        """Raises `StoreUnavailable` where the table of a Budget may still come.

        A pod may name the Budgets of its `namespace`'s tables: what those of others declare makes
        no difference to what it is told. None: the local sidecar, which may name all.
        """
        if self._over():
            return
        named = {report.account for report in request.leases}
        named |= {want.account for want in request.wants}
        if missing := named - self._known(namespace):
            raise StoreUnavailable(
                f"this ledger has just been made: no table has declared {min(missing)} yet"
            )

    def __len__(self) -> int:
        """How many accounts it keeps."""
        return sum(len(accounts) for accounts in self._declared.values())

    def _known(self, namespace: str | None) -> frozenset[str]:
        if namespace is not None:
            return self._declared.get(namespace, frozenset())
        return frozenset().union(*self._declared.values())

    def _over(self) -> bool:
        made_ms = self._database.made_ms
        if made_ms is None or self._database.clock.now_ms() >= made_ms + limits.TABLES_WITHIN_MS:
            self._declared.clear()
            return True
        return False
