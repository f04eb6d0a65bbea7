"""I1: `compile` cannot know anything that its snapshot does not hold."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pointsman_operator.compile

ALLOWED = {
    *(
        "__future__",
        "collections",
        "dataclasses",
        "difflib",
        "functools",
        "hashlib",
        "json",
        "types",
        "typing",
    ),
    *("pydantic", "pointsman_operator"),
}
LAYERS = {"api", "catalog", "compile", "learn"}

PROGRAM = """
import json, sys
from pathlib import Path
from pointsman_operator.api import load_folder
from pointsman_operator.compile import Snapshot, compile
loaded = load_folder(Path(sys.argv[1]))
tables = compile(Snapshot.of(loaded.objects)).tables
print(json.dumps([table.digest for table in tables.values()]))
"""


def test_i1_compile_imports_nothing_impure() -> None:
    """No clock, network, random or environment: only these modules, and layers below."""
    folder = Path(pointsman_operator.compile.__file__).parent
    found: set[str] = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    assert {name.split(".")[0] for name in found} - ALLOWED == set()
    ours = [name.split(".") for name in found if name.startswith("pointsman_operator.")]
    assert {parts[1] for parts in ours} - LAYERS == set()


def test_i1_digests_are_equal_in_every_process() -> None:
    """Neither hash seeds nor locale nor time zone reach the bytes."""
    case = (
        Path(__file__).parents[3] / "golden/cases/prompts_with_personal_data_stay_on_our_own_model"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(case / "input.yaml")],
            env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, zone, locale in (("1", "UTC", "C"), ("77", "Asia/Tokyo", "C.UTF-8"))
    }
    (answer,) = answers
    assert len(json.loads(answer)) == 1
