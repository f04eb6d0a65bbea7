"""Golden triples: resources in, table and status out. `cargo test` reads the same tables.

`pytest tests/golden --update` writes what the compiler says now; the diff is then reviewed.
`table.json` holds canonical bytes, so that both sides compute the digest from the file itself.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pointsman_operator.api import BY_KIND, ProblemCode, load_folder
from pointsman_operator.catalog.catalogue import read
from pointsman_operator.compile import (
    Knowledge,
    Snapshot,
    compile,  # noqa: A004 - the compiler's name
    digest,
    simulate,
    statuses,
)
from pointsman_operator.compile.learnt import read_learnt
from pointsman_operator.generate.schema import structural
from pointsman_operator.generate.tables import table_schema_text
from support.crds import closed

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").iterdir())
OF_READING = {
    ProblemCode.UNREADABLE,
    ProblemCode.DUPLICATE_KEY,
    ProblemCode.UNKNOWN_KIND,
    ProblemCode.UNKNOWN_FIELD,
    ProblemCode.MISSING_FIELD,
    ProblemCode.INVALID_VALUE,
    ProblemCode.DUPLICATE_OBJECT,
}
"""Codes of the loader: tests/unit/control/api/test_load.py shows each."""


def test_there_are_cases() -> None:
    """An empty folder would prove nothing."""
    assert len(CASES) >= 12


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_compiles_to_the_golden_files(case: Path, request: pytest.FixtureRequest) -> None:
    """The sentence that names the folder is what the triple shows."""
    made = _compiled(case)
    if request.config.getoption("--update"):
        for old in case.glob("table*.json"):
            old.unlink()
        for name, data in made.items():
            (case / name).write_bytes(data)
    kept = {path.name: path.read_bytes() for path in case.iterdir() if path.name in made}
    tables = {path.name for path in case.glob("table*.json")}
    assert kept == made
    assert tables == made.keys() - {"status.yaml"}


def test_every_problem_of_meaning_has_a_case() -> None:
    """A new code needs an example that shows object, path, message and remedy."""
    told = "\n".join((case / "status.yaml").read_text() for case in CASES)
    shown = {code for code in ProblemCode if f"code: {code.value}\n" in told}
    assert shown == set(ProblemCode) - OF_READING


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_statuses_keep_the_crds(case: Path) -> None:
    """Every status would be stored by an API server as it is, nothing pruned."""
    told = yaml.safe_load((case / "status.yaml").read_text())["status"]
    assert told
    for reference, status in told.items():
        schema = closed(structural(BY_KIND[reference.split()[0]].status))
        jsonschema.Draft202012Validator(schema).validate(status)


@pytest.mark.parametrize("table", sorted(HERE.glob("cases/*/table*.json")), ids=str)
def test_golden_tables_keep_the_published_schema(table: Path) -> None:
    """What is written is what `crds/routetable.schema.json` promises, and its digest is named."""
    validator = jsonschema.Draft202012Validator(yaml.safe_load(table_schema_text()))
    data = table.read_bytes()
    validator.validate(yaml.safe_load(data))
    status = (table.parent / "status.yaml").read_text()
    assert digest(data) in status


def _compiled(case: Path) -> dict[str, bytes]:
    """File name -> bytes of everything that a case compiles to."""
    loaded = load_folder(case / "input.yaml")
    assert loaded.problems == ()
    options = _options(case)
    listed = options.get("gatewayNamespaces")
    gateways = None if listed is None else frozenset(listed)
    knowledge = replace(_knowledge(), cluster=options.get("cluster", True), gateways=gateways)
    snapshot = Snapshot.of(loaded.objects, knowledge, options.get("platformNamespaces", ()))
    overlay: dict[str, str] = options.get("simulate", {})
    snapshot = simulate(snapshot, overlay, overlay.keys())
    compiled = compile(snapshot)
    told = statuses(snapshot, compiled)
    status = {
        "problems": [problem.as_dict() for problem in compiled.problems],
        "status": {str(ref): body for ref, body in sorted(told.items())},
    }
    text = yaml.safe_dump(status, sort_keys=True, allow_unicode=True, width=100)
    made = {"status.yaml": text.encode()}
    for index, table in enumerate(compiled.tables.values()):
        suffix = f"-{table.policy.name}" if index else ""
        made[f"table{suffix}.json"] = table.data
    return made


def _options(case: Path) -> dict[str, Any]:
    """What a case sets beside its resources."""
    file = case / "options.yaml"
    options: dict[str, Any] = yaml.safe_load(file.read_text()) if file.is_file() else {}
    return options


@cache
def _knowledge() -> Knowledge:
    """A small catalogue and small heads of the tests' own, so that prices may change elsewhere."""
    folder = HERE / "knowledge"
    return Knowledge(
        read((folder / "catalogue.json").read_bytes()),
        read_learnt((folder / "models.json").read_bytes()),
    )
