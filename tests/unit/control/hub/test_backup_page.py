"""The backup and restore that docs/operations.md shows are run as they stand."""

from __future__ import annotations

from pathlib import Path

from support.backup_page import back_up_file, restore_file
from support.hub_process import hub_process, route_table


def test_the_pages_backup_of_a_serving_hub_restores(tmp_path: Path) -> None:
    """Taken while the hub serves; put back it has what was there, and begins a new incarnation."""
    with hub_process(tmp_path) as hub:
        kept = hub.put_table(route_table(), "support")
        before = hub.sync()["incarnation"]
        backup = back_up_file(tmp_path)
        hub.put_table(route_table(policy="later"), "later")
    restore_file(tmp_path, backup)
    with hub_process(tmp_path) as hub:
        tables = hub.http.get("/v1/tables").json()["tables"]
        assert [(table["policy"], table["digest"]) for table in tables] == [("support", kept)]
        assert hub.sync(seq=2)["incarnation"] > before
        assert "restored" in (tmp_path / "log").read_text()
