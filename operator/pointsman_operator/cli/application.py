"""Puts the commands together under one name."""

from __future__ import annotations

import typer

from pointsman_operator.cli.inspect import budgets, explain, spend
from pointsman_operator.cli.keys.commands import KEYS
from pointsman_operator.cli.learning import LEARN
from pointsman_operator.cli.limited import limits
from pointsman_operator.cli.playing import demo
from pointsman_operator.cli.proxies import proxy_status
from pointsman_operator.cli.resources import compile_folder, validate
from pointsman_operator.cli.up import up

APPLICATION = typer.Typer(
    name="pointsman",
    help="Send every LLM request to the model that is good enough at the least cost.",
    epilog="Exit status: 0 yes, 1 no, 2 usage, 3 not found, 69 not available, 70 a process failed, "
    "77 no right.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
APPLICATION.command("up")(up)
APPLICATION.command("demo")(demo)
APPLICATION.command("validate")(validate)
APPLICATION.command("compile")(compile_folder)
APPLICATION.command("explain")(explain)
APPLICATION.command("spend")(spend)
APPLICATION.command("budgets")(budgets)
APPLICATION.command("limits")(limits)
APPLICATION.command("proxy-status")(proxy_status)
APPLICATION.add_typer(KEYS, name="keys")
APPLICATION.add_typer(LEARN, name="learn")


def main() -> None:
    """The console script."""
    APPLICATION()
