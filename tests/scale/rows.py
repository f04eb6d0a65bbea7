"""What a part of `make scale` says: figures with their limits, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure; without a limit it is only told."""

    part: str
    name: str
    value: float
    unit: str
    method: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its limit."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    @property
    def limit(self) -> str:
        """The limit for people; empty where there is none."""
        if self.at_most is not None and self.at_most == self.at_least:
            return f"= {number(self.at_most)}"
        if self.at_most is not None:
            return f"<= {number(self.at_most)}"
        return "" if self.at_least is None else f">= {number(self.at_least)}"


def table(rows: Sequence[Row]) -> str:
    """All rows, the method of each below it."""
    lines = [f"{'':8}{'':<34}{'value':>14}  {'unit':<12}limit"]
    for row in rows:
        verdict = "" if not row.limit else "holds" if row.holds else "MISSED"
        head = f"{verdict:<8}{row.part + ' ' + row.name:<34}{number(row.value):>14}"
        lines.append(f"{head}  {row.unit:<12}{row.limit}".rstrip())
        lines.append(f"{'':12}{row.method}")
    return "\n".join(lines)


def write_json(rows: Sequence[Row], machine: dict[str, object], path: Path) -> None:
    """Write the machine and every row with its verdict."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [asdict(row) | {"holds": row.holds} for row in rows]
    path.write_text(json.dumps({"machine": machine, "rows": listed}, indent=1) + "\n")


def number(value: float) -> str:
    """Two decimals below ten, one below a thousand, else whole."""
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
