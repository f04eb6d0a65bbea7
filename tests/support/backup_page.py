"""The backup and the restore that docs/operations.md shows, run as they stand on the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.postgresql_server import PostgresqlServer
from support.tree import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()


def back_up_file(state: Path) -> bytes:
    """The page's backup of a serving hub's SQLite file."""
    return _python(_program("serialize", state))


def restore_file(state: Path, backup: bytes) -> None:
    """The page's restore into a stopped hub's folder."""
    _python(_program("write_bytes", state), backup)


def back_up_database(server: PostgresqlServer, url: str, folder: Path) -> None:
    """The page's `pg_dump`, in that folder."""
    _shell(server, _line("pg_dump "), url, folder)


def restore_database(server: PostgresqlServer, url: str, folder: Path) -> None:
    """The page's `pg_restore` of what lies in that folder."""
    _shell(server, _line("pg_restore "), url, folder)


def _line(beginning: str) -> str:
    (found,) = [line for line in PAGE.splitlines() if line.startswith(beginning)]
    return found


def _shell(server: PostgresqlServer, line: str, url: str, folder: Path) -> None:
    path = f"{server.programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "URL": url}
    subprocess.run(["bash", "-ec", line], cwd=folder, env=environment, check=True)


def _program(marker: str, state: Path) -> str:
    """The page's Python program that holds the marker, for a hub in that folder."""
    programs: list[str] = re.findall(r"python3 -c '\n(.*?)'", PAGE, re.DOTALL)
    (found,) = [each for each in programs if marker in each]
    return found.replace("/var/lib/pointsman", str(state))


def _python(code: str, given: bytes = b"") -> bytes:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout
