"""What an older hub's database lacks: added in place when it is opened.

`database` calls it inside the transaction that also raises the stored version, so a migration
happens once or not at all.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect

_STEPS: dict[int, tuple[str, ...]] = {
    2: (
        "ALTER TABLE usage_marks ADD COLUMN unconfirmed BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE spend ADD COLUMN unconfirmed BIGINT NOT NULL DEFAULT 0",
    ),
    3: (
        "ALTER TABLE dimensions ADD COLUMN namespace TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE route_tables ADD COLUMN target TEXT",
    ),
}
"""Statements by the version that they lead to."""


def migrate(connection: Connection, version: int) -> None:
    """Bring a database of that version up to date."""
    there = inspect(connection)
    for step in sorted(step for step in _STEPS if step > version):
        for statement in _STEPS[step]:
            # A ledger without a hub has none of the hub's tables; they are made new, then.
            if there.has_table(statement.split()[2]):
                connection.exec_driver_sql(statement)
