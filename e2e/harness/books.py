"""What the ledger holds of one namespace, asked of its store behind the hub's back."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from harness.installation import Installation
from harness.postgresql import Postgresql

HUB_POD = "pointsman-hub-0"
DATABASE = "pointsman"
PICO = 10**12
HELD = """
SELECT COALESCE(SUM(CAST(settled AS BIGINT)), 0), COALESCE(SUM(CAST(unconfirmed AS BIGINT)), 0),
  COALESCE(SUM(CAST(leased AS BIGINT)), 0),
  (SELECT COALESCE(SUM(requests), 0) FROM spend JOIN dimensions USING (ref)
    WHERE namespace = '{0}'),
  (SELECT COALESCE(SUM(cost), 0) FROM spend JOIN dimensions USING (ref) WHERE namespace = '{0}'),
  (SELECT value FROM meta WHERE key = 'incarnation')
FROM pots WHERE account = '{0}/team/day'
"""
IN_FILE = """
import sqlite3, sys
ledger = sqlite3.connect("file:/var/lib/pointsman/hub.db?mode=ro", uri=True)
print(*ledger.execute(sys.argv[1]).fetchone(), sep="|")
"""


class Books(NamedTuple):
    """Of its Budget `team` the first three, of its calls the next two; money in picodollars."""

    settled: int
    unconfirmed: int
    leased: int
    requests: int
    cost: int
    incarnation: int


def closed(requests: int, dollars: Decimal, incarnation: int) -> Books:
    """How they stand when so many calls are paid for, and no pod holds money any more."""
    cost = int(dollars * PICO)
    return Books(cost, 0, 0, requests, cost, incarnation)


def of_file(installed: Installation, namespace: str) -> Books:
    """What the hub's file on its volume says."""
    asked = ("python3", "-c", IN_FILE, HELD.format(namespace))
    return _read(installed.kubectl.exec(HUB_POD, *asked))


def of_server(server: Postgresql, namespace: str) -> Books:
    """What the hub's database in PostgreSQL says."""
    return _read(server.ask(HELD.format(namespace), database=DATABASE))


def _read(row: str) -> Books:
    return Books(*map(int, row.strip().split("|")))
