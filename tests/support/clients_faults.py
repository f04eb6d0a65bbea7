"""What apps see of each fault, for docs/faults.md: noted by the matrix, made a page after it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from support.clients import Client
from support.clients_page import version

REFUSED = {"500": "openai-failing", "429": "openai-busy", "400": "openai-mistaken"}
"""Before anything went down, by the provider's status: which model plays it."""
BROKEN = {
    "reset": "openai-cut-reset-6",
    "no last chunk": "openai-cut-eof-6",
    "clean, too early": "openai-cut-end-6",
    "no end mark": "openai-unended",
    "stalls": "openai-stalled",
    "garbage": "openai-garbled",
    "its own error": "openai-erring",
}
"""In mid-stream."""
COLUMNS = (*REFUSED, *BROKEN)
_seen: dict[tuple[Client, str], str] = {}


def note(client: Client, fault: str, outcome: str) -> None:
    """For the page."""
    _seen[client, fault] = outcome


def tables(clients: Sequence[Client]) -> str | None:
    """One a surface; None where this run did not see all of it."""
    if {(client, fault) for client in clients for fault in COLUMNS} - set(_seen):
        return None
    lines = []
    by_surface = sorted(clients, key=lambda it: it.surface)
    for surface, members in groupby(by_surface, key=lambda it: it.surface):
        lines += [f"### {surface}", "", "| client | " + " | ".join(COLUMNS) + " |"]
        lines.append("|---" * (len(COLUMNS) + 1) + "|")
        for client in members:
            cells = " | ".join(_seen[client, fault] for fault in COLUMNS)
            lines.append(f"| {client.name} {version(client)} | {cells} |")
        lines.append("")
    return "\n".join(lines).rstrip()
