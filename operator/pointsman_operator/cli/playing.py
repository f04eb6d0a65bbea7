"""`pointsman demo`: the command; what it plays is in `demo/`, which needs the extra `demo`."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.local.children import StackError
from pointsman_operator.cli.output import stop

EXTRA = "install what it needs: make demo, or pip install 'pointsman-operator[demo]'"


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", "-f", exists=True, help="The resources to play with.")
    ] = Path("examples/demo"),
    state: Annotated[Path, typer.Option(help="State folder; emptied first.")] = Path("build/demo"),
    page: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("build/demo.html"),
    *,
    local_model: Annotated[
        bool,
        typer.Option("--local-model/--no-local-model", help="A real llama.cpp model beside it."),
    ] = True,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON document at the end instead.")
    ] = False,
) -> None:
    """Play three acts on this machine: normal traffic, a provider's death, a budget's end.

    Every provider is simulated and replays what real models answered; the simulator's own bill
    judges the ledger. Takes about 40 seconds, 90 on a busy machine, and ends by itself.

    Exit status: 0 exactly if the acts and the arithmetic held, 1 if not, 69 where a part is
    missing.

    Example: pointsman demo --no-local-model
    """
    if importlib.util.find_spec("openai") is None:
        stop("the demo needs the openai SDK", remedy=EXTRA)
    entry = importlib.import_module("pointsman_operator.cli.demo.entry")
    if local_model and not entry.local_model_installed():
        stop("the local model is not installed", remedy=f"{EXTRA}; or --no-local-model")
    try:
        status: int = entry.run(
            folder=folder, state=state, page_path=page, with_model=local_model, as_json=json_output
        )
    except (StackError, HubError) as error:
        stop(str(error))
    raise typer.Exit(status)
