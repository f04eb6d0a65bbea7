"""Lambda at compile time.

The price of quality at which a route's expected mean quality meets its target.
"""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_operator.compile.table import TableModel


def solve_lambda0(models: Sequence[TableModel], target_percent: int) -> int:
    """Micro-probability a dollar; 0 (the best candidate always) until learning ships a solver."""
    del models, target_percent
    return 0
