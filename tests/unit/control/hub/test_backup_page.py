"""The backup and restore that docs/operations.md shows are run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.hub_process import hub_process, route_table
from support.tree import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()


def program(marker: str, state: Path) -> str:
    """The page's Python program that holds the marker, for a hub in that folder."""
    programs: list[str] = re.findall(r"python3 -c '\n(.*?)'", PAGE, re.DOTALL)
    (found,) = [each for each in programs if marker in each]
    return found.replace("/var/lib/pointsman", str(state))


def run(code: str, given: bytes = b"") -> bytes:
    """What it writes."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def test_the_pages_backup_of_a_serving_hub_restores(tmp_path: Path) -> None:
    """Taken while the hub serves; put back it has what was there, and begins a new incarnation."""
    with hub_process(tmp_path) as hub:
        kept = hub.put_table(route_table(), "support")
        before = hub.sync()["incarnation"]
        backup = run(program("serialize", tmp_path))
        hub.put_table(route_table(policy="later"), "later")
    run(program("write_bytes", tmp_path), backup)
    with hub_process(tmp_path) as hub:
        tables = hub.http.get("/v1/tables").json()["tables"]
        assert [(table["policy"], table["digest"]) for table in tables] == [("support", kept)]
        assert hub.sync(seq=2)["incarnation"] == before + 1
        assert "restored" in (tmp_path / "log").read_text()
