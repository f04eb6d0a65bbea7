"""The import contracts hold, and they cover every folder that exists."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

from support.tree import ROOT, tracked

PACKAGE = ROOT / "operator" / "pointsman_operator"


def contracts() -> configparser.ConfigParser:
    """The contracts file, read as import-linter reads it."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def folders() -> set[str]:
    """The operator's packages that have code."""
    files = tracked("operator/pointsman_operator/*/__init__.py")
    return {path.parent.name for path in files if path.parent.parent == PACKAGE}


def test_import_contracts_hold() -> None:
    """I3 and DESIGN's table of layers: checked on the real import graph."""
    program = Path(sys.executable).parent / "lint-imports"
    outcome = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_every_folder_has_its_layer() -> None:
    """A new package cannot appear without a place among the layers."""
    lines = contracts()["importlinter:layers"]["layers"]
    layered = {name.strip(" ()") for line in lines.splitlines() for name in line.split("|")} - {""}
    assert folders() - layered - {"generate"} == set()


def test_no_folder_may_import_the_generators() -> None:
    """Every package but `generate` itself is held to not import it."""
    section = contracts()["importlinter:generate-is-a-leaf"]
    held = {line.rpartition(".")[2] for line in section["source_modules"].split()}
    assert folders() - {"generate"} - held == set()


def test_i1_compile_names_no_source_of_chance() -> None:
    """I1: the contract forbids compile the clock, chance, the environment and the network."""
    forbidden = set(contracts()["importlinter:compile-is-pure"]["forbidden_modules"].split())
    assert {"asyncio", "os", "random", "socket", "time", "uuid"} <= forbidden
