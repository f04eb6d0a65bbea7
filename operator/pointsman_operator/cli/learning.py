"""`pointsman learn fit|evaluate`: train the quality heads on recorded answers, and judge them."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pointsman_operator.cli.output import OUT, JSONFlag, emit, stop, table

LEARN = typer.Typer(
    help="Train and judge the quality heads; needs the extra `learn`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Data = Annotated[
    Path,
    typer.Option(
        exists=True, file_okay=False, help="Folder of zeroeval_*.csv.gz.", show_default=False
    ),
]
PER_THOUSAND = 1000 / 1e12


@LEARN.command()
def fit(
    data: Data,
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Folder to write models.json and rows.json.gz to.")
    ],
    json_output: JSONFlag = False,
) -> None:
    """Fit one logistic head a model on recorded answers; the demo's questions are left out.

    Exit status: 0, 69 where the extra `learn` is not installed or a file is missing.

    Example: pointsman learn fit --data recorded --out heads
    """
    module = called("pointsman_operator.learn.fit")
    try:
        models = module.fit(data, out)
    except FileNotFoundError as error:
        stop(str(error))
    if json_output:
        emit(models)
        return
    OUT.print(
        table(
            "",
            ("model", ">mean %", ">AUC, unseen rows", ">calibration error"),
            (
                (
                    name,
                    entry["quality"]["prior"],
                    entry["provenance"]["heldOut"]["auc"],
                    entry["provenance"]["heldOut"]["ece"],
                )
                for name, entry in models.items()
            ),
        )
    )


@LEARN.command()
def evaluate(data: Data, json_output: JSONFlag = False) -> None:
    """Judge heads and lambda on rows that neither has seen, beside the best fixed model.

    Exit status: 0, 69 where the extra `learn` is not installed or a file is missing.

    Example: pointsman learn evaluate --data recorded
    """
    module = called("pointsman_operator.learn.evaluate")
    try:
        found = module.evaluate(data)
    except FileNotFoundError as error:
        stop(str(error))
    if json_output:
        emit([asdict(one) for one in found])
        return
    for one in found:
        OUT.print(
            f"target {one.target} % of the best single model: reached {one.reached_percent:.1f} % "
            f"at {one.cost_percent:.1f} % of its cost; a random mix of the same quality pays "
            f"{one.zero_cost_percent:.1f} %",
            highlight=False,
        )
        OUT.print(
            table(
                "",
                ("policy", ">% correct", ">$ per 1,000", "by", ""),
                (
                    (
                        line.name,
                        range_of(line.percent),
                        f"{line.cost.mean * PER_THOUSAND:.3f}",
                        line.policy,
                        line.verdict,
                    )
                    for line in one.lines
                ),
            )
        )


def range_of(value: Any) -> str:
    """A mean with its interval."""
    return f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}]"


def called(module: str) -> Any:
    """A module of the extra `learn`, which the other commands do without."""
    if importlib.util.find_spec("sklearn") is None:
        stop("learning needs scikit-learn", remedy="pip install 'pointsman-operator[learn]'")
    return importlib.import_module(module)
