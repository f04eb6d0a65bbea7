"""A ledger that has just been made judges no Budget before its table has come.

Its predecessor's sidecars are there before the controller has published everything again: told that
their Budgets are unknown they would refuse every call. Unanswered they go on with what they hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_operator.hub import limits
from pointsman_operator.hub.tables import Tables
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.errors import StoreUnavailable
from pointsman_operator.ledger.messages import SyncRequest


@dataclass(frozen=True, slots=True)
class Newborn:
    """What a sync is checked against before the ledger sees it."""

    database: Database
    tables: Tables

    def check(self, request: SyncRequest, namespace: str | None) -> None:
        """Raises `StoreUnavailable` where the table of a Budget may still come.

        A pod may name the Budgets of its `namespace`'s tables: what those of others declare makes
        no difference to what it is told. None: the local sidecar, which may name all.
        """
        made_ms = self.database.made_ms
        if made_ms is None or self.database.clock.now_ms() >= made_ms + limits.TABLES_WITHIN_MS:
            return
        named = {report.account for report in request.leases}
        named |= {want.account for want in request.wants}
        if missing := named - self.tables.declared(namespace):
            raise StoreUnavailable(
                f"this ledger has just been made: no table has declared {min(missing)} yet"
            )
