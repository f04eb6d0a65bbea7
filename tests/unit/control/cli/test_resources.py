"""`validate` and `compile` say everything at once, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from support.tree import ROOT

RUN = CliRunner()
POOL = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelPool
metadata: {name: main, namespace: demo}
spec:
  models:
  - name: gpt-4o-mini
    provider: {type: OpenAI, model: gpt-4o-mini-2024-07-18}
"""
POLICY = """
apiVersion: pointsman.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: support, namespace: demo}
spec:
  pools: [{name: main}]
  rules:
  - name: all
    route: {strategy: Failover, candidates: [{model: MODEL}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good resources, and a Deployment that is none of ours."""
    (tmp_path / "pool.yaml").write_text(POOL)
    (tmp_path / "policy.yaml").write_text(POLICY.replace("MODEL", "main/gpt-4o-mini"))
    (tmp_path / "app.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
    )
    return tmp_path


def test_a_good_folder_is_valid(folder: Path) -> None:
    """Exit status 0, the resources counted, other kinds left alone."""
    outcome = RUN.invoke(APPLICATION, ["validate", str(folder)])
    assert outcome.exit_code == exits.OK, outcome.output
    assert "2 resources" in outcome.output
    assert "1 of other kinds" in outcome.output


def test_every_problem_is_told_at_once(folder: Path) -> None:
    """A syntax error in one file and a dangling reference in another, each with file and line."""
    (folder / "policy.yaml").write_text(POLICY.replace("MODEL", "main/gpt-5o"))
    (folder / "broken.yaml").write_text("a: [1,\n")
    outcome = RUN.invoke(APPLICATION, ["validate", str(folder), "--json"])
    assert outcome.exit_code == exits.REFUSED
    report = json.loads(outcome.stdout)
    files = {Path(problem["file"]).name for problem in report["problems"]}
    assert files == {"broken.yaml", "policy.yaml"}
    assert report["errors"] == len(report["problems"])
    assert all(problem["line"] >= 1 and problem["remedy"] for problem in report["problems"])
    told = RUN.invoke(APPLICATION, ["validate", str(folder)])
    assert "spec.rules[0].route.candidates[0]" in told.stderr
    assert "broken.yaml:" in told.stderr


def test_compile_prints_what_a_sidecar_would_run(folder: Path) -> None:
    """The table's digest and content, by policy."""
    outcome = RUN.invoke(APPLICATION, ["compile", str(folder), "--json"])
    assert outcome.exit_code == exits.OK, outcome.output
    tables = json.loads(outcome.stdout)["tables"]
    assert list(tables) == ["demo/support"]
    assert tables["demo/support"]["digest"].startswith("sha256:")
    assert tables["demo/support"]["table"]["rules"][0]["name"] == "all"


def test_compile_of_a_missing_policy_names_those_that_exist(folder: Path) -> None:
    """A typing error costs one line, not a search."""
    outcome = RUN.invoke(APPLICATION, ["compile", str(folder), "--policy", "demo/suport"])
    assert outcome.exit_code == exits.NOT_FOUND
    assert "demo/support" in outcome.stderr


def test_the_example_is_valid() -> None:
    """What a new user runs first has no error and no warning."""
    outcome = RUN.invoke(APPLICATION, ["validate", str(ROOT / "examples" / "demo"), "--json"])
    assert json.loads(outcome.stdout)["problems"] == []
    assert outcome.exit_code == exits.OK


def test_every_command_teaches() -> None:
    """Each command's help has an example and says what its exit status means."""
    names = [f"{command.name}" for command in APPLICATION.registered_commands]
    names += [f"learn {name}" for name in ("fit", "evaluate")]
    assert len(names) >= 9
    for name in names:
        text = RUN.invoke(APPLICATION, [*name.split(), "--help"]).output
        assert f"Example: pointsman {name}" in text, name
        assert "Exit status" in text, name
        assert "--json" in text, name
