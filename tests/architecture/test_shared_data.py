"""I3: operator and sidecar share data, not code."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from support.tree import ROOT, shown, tracked

ENGINE = ROOT / "sidecar" / "engine"


def imported(path: Path) -> set[str]:
    """The top packages that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def test_i3_neither_package_imports_the_other() -> None:
    """No module of one names the other, nor does its manifest."""
    for package, other in (("operator", "sidecar"), ("sidecar", "operator")):
        modules = tracked(f"{package}/*.py", f"{package}/*.pyi")
        assert modules
        name = f"pointsman_{other}"
        assert [shown(path) for path in modules if name in imported(path)] == []
        project = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]
        wanted = [re.split(r"[\s<>=!~\[;]", each)[0] for each in project["dependencies"]]
        assert f"pointsman-{other}" not in wanted


def test_i3_the_engine_builds_without_the_operator() -> None:
    """No source of the engine includes a file from outside its own folder; only tests read it."""
    escapes = {
        shown(path): found
        for path in tracked("sidecar/engine/*/src/*.rs")
        if (found := re.findall(r"include(?:_str|_bytes)?!\([^)]*(?:\.\./){3,}[^)]*\)",
                                path.read_text()))
    }  # fmt: skip
    assert escapes == {}


def test_i3_the_judge_shares_no_code_with_the_judged() -> None:
    """The simulator, whose bill judges the ledger, does not depend on the engine's core."""
    manifest = tomllib.loads((ENGINE / "sim" / "Cargo.toml").read_text())
    named = {
        name for kind in ("dependencies", "dev-dependencies") for name in manifest.get(kind, {})
    }
    assert "pointsman-core" not in named


@pytest.mark.parametrize(
    ("kind", "python", "rust"),
    [
        ("cases", "test_cases.py", "golden_tables.rs"),
        ("choices", "choices/test_choices.py", "select_golden.rs"),
        ("features", "features/test_features.py", "features_golden.rs"),
        ("api_keys", "test_api_keys.py", "api_keys.rs"),
        ("signing", "signing/test_signing.py", "sign_golden.rs"),
    ],
)
def test_i3_both_sides_read_every_golden_case(kind: str, python: str, rust: str) -> None:
    """Each kind of golden case has a test in Python and one in Rust that reads the same file."""
    assert any((ROOT / "tests" / "golden" / kind).iterdir())
    assert "def test_" in (ROOT / "tests" / "golden" / python).read_text()
    read = (ENGINE / "core" / "tests" / rust).read_text()
    assert f"/../../../tests/golden/{kind}" in read
    assert "fn i3_" in read


def test_i3_no_kind_of_golden_case_is_one_sided() -> None:
    """A new folder of cases is read by both sides, too, but for what one side alone does.

    `knowledge` is what compile is given, only the operator injects and builds gateways, and
    `serving` is read by hub and sidecar, both in Python.
    """
    folders = {path.name for path in (ROOT / "tests" / "golden").iterdir() if path.is_dir()}
    one_sided = {"knowledge", "injection", "gateways", "serving", "__pycache__"}
    assert folders - one_sided == {"cases", "choices", "features", "api_keys", "signing"}
