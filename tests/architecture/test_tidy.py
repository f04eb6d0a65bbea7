"""Files and functions stay small, and `operator/` never shadows the standard library."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from support.tree import ROOT, shown, tracked

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
TOP_LEVEL = {
    *("pyproject.toml", "operator", "sidecar", "charts", "crds", "tests", "e2e", "README.md"),
    *("examples", "docs", "requirements", "Makefile", "LICENSE", "NOTICE", "CHANGELOG.md"),
    *(".ci", ".gitignore", ".dockerignore", ".importlinter"),
}


def test_files_stay_within_their_lines() -> None:
    """No Python or Rust file is longer than 400 lines."""
    sizes = {path: len(path.read_text().splitlines()) for path in tracked("*.py", "*.rs")}
    assert len(sizes) > 10
    assert {shown(path): n for path, n in sizes.items() if n > MAX_FILE_LINES} == {}


def test_functions_stay_on_one_screen() -> None:
    """No Python function is longer than 70 lines; clippy's `too_many_lines` holds Rust to it."""
    long = {
        f"{shown(path)}:{node.lineno} {node.name}": lines
        for path in tracked("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for lines in [(node.end_lineno or node.lineno) - node.lineno + 1]
        if lines > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_clippy_counts_the_same_lines() -> None:
    """Rust functions have the same limit, and every crate takes the workspace's lints."""
    engine = ROOT / "sidecar" / "engine"
    clippy = tomllib.loads((engine / "clippy.toml").read_text())
    assert clippy["too-many-lines-threshold"] == MAX_FUNCTION_LINES
    workspace = tomllib.loads((engine / "Cargo.toml").read_text())["workspace"]
    assert workspace["lints"]["clippy"]["too_many_lines"] == "deny"
    for member in workspace["members"]:
        manifest = tomllib.loads((engine / member / "Cargo.toml").read_text())
        assert manifest["lints"] == {"workspace": True}, member


def test_top_level_holds_only_what_is_expected_there() -> None:
    """A reader finds the project's map at the root, and nothing else."""
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} - TOP_LEVEL == set()


def test_names_say_what_a_module_does() -> None:
    """No module is called by one of the names that say nothing."""
    assert [shown(path) for path in tracked("*.py", "*.rs") if path.stem in VAGUE_NAMES] == []


def test_operator_folder_is_never_a_package() -> None:
    """No Python file lies in `operator/` or `sidecar/` itself, no folder of tests is named so."""
    stray = [
        path for path in tracked("*.py") if path.parent in (ROOT / "operator", ROOT / "sidecar")
    ]
    assert stray == []
    assert not (ROOT / "tests" / "operator").exists()


def test_operator_never_shadows_the_standard_library(tmp_path: Path) -> None:
    """From a bare environment in the checkout, `import operator` is the standard library's."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    code = "import operator, collections; print(operator.__file__, operator.eq(1, 1))"
    answer = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    where, equal = answer.split()
    assert Path(where).name == "operator.py"
    assert not Path(where).is_relative_to(ROOT)
    assert equal == "True"
