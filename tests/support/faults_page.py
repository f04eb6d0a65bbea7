"""`docs/faults.md`: what an app sees of each fault, in parts that different runs make."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.surfaces import Surface
from support.tree import ROOT

PAGE = ROOT / "docs" / "faults.md"
MADE = ROOT / "build" / "faults.md"
HEAD = "| fault | surface | the app sees | tried | with another model | recorded | booked |"
OK = 200


@dataclass(frozen=True)
class Fault:
    """What a provider does, in words and as a simulator's `do`, and the class that it has."""

    name: str
    action: dict[str, Any] = field(hash=False)
    label: str = ""


@dataclass(frozen=True)
class Seen:
    """What a caller saw of one call, and what was recorded."""

    surface: Surface
    status: int
    headers: dict[str, str]
    raw: bytes
    broken: bool
    record: dict[str, Any]

    def json(self) -> dict[str, Any]:
        """The answer as one document; a stream of Gemini's wraps it in a list."""
        document = json.loads(self.raw)
        found: dict[str, Any] = document[0] if isinstance(document, list) else document
        return found


_rows: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(dict)


def remember(fault: Fault, kind: str, alone: Seen, spared: Seen | None, billed: int) -> None:
    """What one call came to, for the page."""
    columns = (
        _seen(alone),
        str(len(alone.record["attempts"])),
        "the same" if spared is None else _elsewhere(spared),
        f"{alone.record['outcome']}, {alone.record['class']}",
        _booked(alone, billed),
    )
    of_kind = _rows[fault.name, alone.surface.name]
    of_kind.setdefault(" \u241f ".join(columns), set()).add(kind)


def _seen(it: Seen) -> str:
    if it.status == OK:
        return "an error event, then a broken body"
    error = it.json().get("error", {})
    word = error.get("code") if isinstance(error.get("code"), str) else None
    word = word or error.get("status") or error.get("type")
    last = "" if it.headers.get("x-should-retry") != "false" else ", final"
    return f"{it.status} `{word}`{last}"


def _elsewhere(it: Seen) -> str:
    if it.status == OK:
        return f"its answer, after {len(it.record['attempts']) - 1}"
    return "the same"


def _booked(it: Seen, billed: int) -> str:
    if not it.record["cost"]:
        return "nothing"
    assert it.record["usage"]["output"] >= billed, it.record
    return "a bound, above the bill" if it.record["usage"]["source"] == "estimated" else "as told"


def section(
    faults: Sequence[Fault], surfaces: Iterable[Surface], kinds: Sequence[str]
) -> str | None:
    """The table; None where this run did not see all of it."""
    lines = [HEAD, "|---" * HEAD.count(" | ") + "|---|"]
    names = [surface.name for surface in surfaces]
    for fault in faults:
        for name in names:
            of_kind = _rows.get((fault.name, name))
            if not of_kind:
                return None
            for columns, seen in sorted(of_kind.items()):
                only = "" if len(of_kind) == 1 else f" ({', '.join(k for k in kinds if k in seen)})"
                cells = columns.replace(" \u241f ", " | ")
                lines.append(f"| {fault.name}{only} | {name} | {cells} |")
    return "\n".join(lines)


def part(name: str, made: str) -> tuple[str, Path]:
    """What the committed page has for this part, and where the page with the new one is kept."""
    mark = re.compile(rf"(<!-- {name} -->\n)(.*?)(\n<!-- end of {name} -->)", re.DOTALL)
    page = PAGE.read_text()
    found = mark.search(page)
    assert found is not None, f"{PAGE} has no part {name}"
    before = MADE.read_text() if MADE.exists() and mark.search(MADE.read_text()) else page
    MADE.parent.mkdir(parents=True, exist_ok=True)
    MADE.write_text(mark.sub(lambda it: it[1] + made + it[3], before))
    return found[2], MADE
