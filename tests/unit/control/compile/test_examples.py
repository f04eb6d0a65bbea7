"""Every example that a reader may copy compiles, and would be accepted by an API server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pointsman_operator.api import load_folder
from pointsman_operator.compile import (
    Snapshot,
    compile,  # noqa: A004 - the compiler's name
)
from support.crds import accepted
from support.tree import ROOT

EXAMPLES = sorted((ROOT / "crds" / "examples").glob("*.yaml"))
FOLDERS = [ROOT / "crds" / "examples", *sorted((ROOT / "examples").iterdir())]


def test_there_are_examples_of_every_kind() -> None:
    """The folder shows all three kinds."""
    kinds = {document["kind"] for file in EXAMPLES for document in _documents(file)}
    assert kinds == {"ModelPool", "RoutingPolicy", "Budget"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_stands_alone(file: Path) -> None:
    """Each file compiles by itself without an error, and `kubectl apply` takes it."""
    loaded = load_folder(file)
    compiled = compile(Snapshot.of(loaded.objects))
    problems = loaded.place_all(compiled.problems)
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert all(accepted(document) for document in _documents(file))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_of_examples_compiles_as_a_whole(folder: Path) -> None:
    """Applied together they do not disturb each other, and every rule has a candidate."""
    loaded = load_folder(folder)
    compiled = compile(Snapshot.of(loaded.objects))
    problems = loaded.place_all(compiled.problems)
    assert [problem for problem in problems if problem.severity == "error"] == []
    routes = [rule.route for table in compiled.tables.values() for rule in table.table.rules]
    assert routes
    assert all(route.candidates for route in routes)
    assert all(r.quality.lambda0 >= 0 for r in routes if r.quality is not None)


def _documents(file: Path) -> list[dict[str, object]]:
    return list(yaml.safe_load_all(file.read_text()))
