"""`pointsman validate` and `pointsman compile`: resources in files, judged and lowered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pointsman_operator.api.load import Loaded, load_folder
from pointsman_operator.api.problems import Problem
from pointsman_operator.catalog.catalogue import bundled
from pointsman_operator.cli import exits
from pointsman_operator.cli.output import ERR, OUT, JSONFlag, emit, stop
from pointsman_operator.compile import Compiled, Knowledge, Snapshot, compile  # noqa: A004
from pointsman_operator.compile.learnt import bundled_learnt

Folder = Annotated[
    Path,
    typer.Argument(exists=True, help="A folder of YAML files, or one file.", show_default=False),
]


@dataclass(frozen=True)
class Judged:
    """A folder, read and compiled, with everything that is wrong with it in one list."""

    loaded: Loaded
    snapshot: Snapshot
    compiled: Compiled
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """Problems that keep something from working."""
        return sum(problem.severity == "error" for problem in self.problems)


def judge(folder: Path, *, cluster: bool = True) -> Judged:
    """Read and compile a folder, for a cluster or for this machine; problems are data."""
    loaded = load_folder(folder)
    snapshot = Snapshot.of(loaded.objects, Knowledge(bundled(), bundled_learnt(), cluster=cluster))
    compiled = compile(snapshot)
    return Judged(loaded, snapshot, compiled, loaded.place_all(compiled.problems))


def validate(folder: Folder, json_output: JSONFlag = False) -> None:
    """Report every problem of a folder at once, with file, line, field and remedy.

    Exit status: 0 without errors (warnings are allowed), 1 with errors.

    Example: pointsman validate examples/demo
    """
    judged = judge(folder)
    if json_output:
        emit(
            {
                "objects": [str(item.ref) for item in judged.loaded.objects],
                "ignored": judged.loaded.ignored,
                "errors": judged.errors,
                "problems": [problem.as_dict() for problem in judged.problems],
            }
        )
    else:
        show_problems(judged.problems)
        count = len(judged.loaded.objects)
        other = (
            f", {judged.loaded.ignored} of other kinds left alone" if judged.loaded.ignored else ""
        )
        verdict = "[green]valid[/]" if not judged.errors else f"[red]{judged.errors} errors[/]"
        OUT.print(f"{count} resources{other}: {verdict}")
    raise typer.Exit(exits.REFUSED if judged.errors else exits.OK)


def compile_folder(
    folder: Folder,
    policy: Annotated[
        str, typer.Option(help="Only the table of this policy: NAMESPACE/NAME.")
    ] = "",
    json_output: JSONFlag = False,
) -> None:
    """Print the route tables that a folder compiles to: what sidecars would run.

    With --json, one document: tables by policy, and problems. Exit status: 0, or 1 where there are
    errors (the tables are printed all the same: a bad object never blocks a good one).

    Example: pointsman compile examples/demo --policy demo/support
    """
    judged = judge(folder)
    tables = {str(name): found for name, found in judged.compiled.tables.items()}
    if policy:
        if policy not in tables:
            stop(
                f"no policy {policy} in {folder}",
                exits.NOT_FOUND,
                f"there are: {', '.join(tables)}",
            )
        tables = {policy: tables[policy]}
    if json_output:
        emit(
            {
                "tables": {
                    name: {"digest": found.digest, "table": json.loads(found.data)}
                    for name, found in tables.items()
                },
                "problems": [problem.as_dict() for problem in judged.problems],
            }
        )
    else:
        show_problems(judged.problems)
        for name, found in tables.items():
            OUT.print(f"[bold]{name}[/]  {found.digest}  {len(found.data)} bytes")
            OUT.print_json(found.data.decode(), indent=2)
    raise typer.Exit(exits.REFUSED if judged.errors else exits.OK)


def show_problems(problems: tuple[Problem, ...]) -> None:
    """Problems for people, on standard error, in the order of files and lines."""
    for problem in problems:
        colour = "red" if problem.severity == "error" else "yellow"
        where = f"{problem.location or problem.ref}  {problem.path}".rstrip()
        ERR.print(f"[{colour}]{problem.severity}[/] [bold]{escape(where)}[/]", soft_wrap=True)
        ERR.print(escape(f"    {problem.message}"), highlight=False, soft_wrap=True)
        ERR.print(escape(f"    -> {problem.remedy}"), highlight=False, soft_wrap=True)
