"""`docs/clients.md`: what the run of tests/clients saw, as one table a surface."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from support.clients import NODE_PACKAGES, Client
from support.tree import ROOT

PAGE = ROOT / "docs" / "clients.md"
MADE = ROOT / "build" / "clients.md"
LONGEST_VERSION = 24
HEAD = """# Clients that work unchanged

Made by `make test` (tests/clients) out of what it saw: each package as its users have it, nothing
changed but base URL and key, before models of three providers' formats. **yes**: the scripted
answer arrived as the package gives it; **-**: the package has no such feature, or no app for it is
written.
Where a provider fails, the table names what the package raised. **raises**: a stream that its
provider breaks off in mid-answer (by a reset, without its last chunk, or cleanly) is an error, too,
and never looks like an answer.
The last tables tell what packages have beside conversations.
"""
COLUMNS = (
    *("plain", "stream", "iterate", "tools", "parallel", "streamed_tools"),
    *("structured", "image", "count"),
)
FAULTS = ("error", "cut (stream)", "cut (iterate)")
TITLES = {
    "iterate": "stream, raw loop",
    "parallel": "parallel tools",
    "streamed_tools": "tools, streamed",
    "structured": "JSON schema",
    "count": "token count",
    "error": "provider fails",
    "cut (stream)": "stream cut",
    "cut (iterate)": "stream cut, raw loop",
}
_PACKAGES = {
    "openai (Python)": "openai",
    "openai 2 (Python)": "openai",
    "anthropic (Python)": "anthropic",
    "google-genai (Python)": "google-genai",
    "pydantic-ai": "pydantic-ai-slim",
    "openai (Node)": "openai",
    "ai with @ai-sdk/openai": "@ai-sdk/openai",
    "ai with @ai-sdk/anthropic": "@ai-sdk/anthropic",
}
_seen: dict[tuple[Client, str, str], str] = {}


@dataclass(frozen=True)
class Cell:
    """What one client came to with one feature before one provider."""

    client: Client
    provider: str
    feature: str
    outcome: str


def remember(cell: Cell) -> None:
    """For the page; of several outcomes all are told."""
    key = (cell.client, cell.provider, cell.feature)
    before = _seen.get(key)
    told = {cell.outcome} if before is None else {*before.split(", "), cell.outcome}
    _seen[key] = ", ".join(sorted(told))


def complete(clients: Iterable[Client], providers: Iterable[str]) -> bool:
    """Whether this run saw all of it, not a selection."""
    wanted = {(client, provider) for client in clients for provider in providers}
    return wanted <= {key[:2] for key in _seen if key[2] == "error"}


def page(clients: Iterable[Client], providers: tuple[str, ...]) -> str:
    """The whole document."""
    parts = [HEAD]
    by_surface = sorted(clients, key=lambda client: client.surface)
    for surface, group in groupby(by_surface, key=lambda client: client.surface):
        members = list(group)
        parts.append(f"\n## {surface}\n")
        parts.append(_table(members, providers, COLUMNS))
        parts.append("")
        parts.append(_table(members, providers, FAULTS))
    return "\n".join(parts).rstrip() + "\n"


def _table(clients: list[Client], providers: tuple[str, ...], columns: tuple[str, ...]) -> str:
    titles = [TITLES.get(column, column) for column in columns]
    lines = ["| client | model's format | " + " | ".join(titles) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for client in clients:
        for provider in providers:
            cells = [_seen.get((client, provider, column), "-") for column in columns]
            name = f"{client.name} {version(client)}"
            lines.append(f"| {name} | {provider} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def version(client: Client) -> str:
    """Its version, from the pins."""
    package = _PACKAGES.get(client.name, client.name)
    if client.app.endswith(".mjs"):
        locked = json.loads((NODE_PACKAGES / "package-lock.json").read_text())["packages"]
        return str(locked[f"node_modules/{package}"]["version"])
    name = {"openai 2": "sdk2", "openai 3": "clients"}[client.generation]
    pins = (ROOT / "requirements" / f"{name}.txt").read_text()
    found = re.search(rf"^{re.escape(package)}(?:\[[^\]]*\])?==([^\s;\\]+)", pins, re.MULTILINE)
    assert found is not None, f"{package} is not pinned in requirements/{name}.txt"
    return found[1][:LONGEST_VERSION]
