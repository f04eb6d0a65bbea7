"""What an older hub's database lacks: added in place when it is opened.

`database` calls it inside the transaction that also raises the stored version, so a migration
happens once or not at all.
"""

from __future__ import annotations

from sqlalchemy import Connection, Inspector, inspect

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
            words = statement.split()
            table, column = words[2], words[5]
            # A ledger without a hub has none of the hub's tables, and one made new has them whole.
            if there.has_table(table) and column not in _columns(there, table):
                connection.exec_driver_sql(statement)


def _columns(there: Inspector, table: str) -> set[str]:
    return {column["name"] for column in there.get_columns(table)}
