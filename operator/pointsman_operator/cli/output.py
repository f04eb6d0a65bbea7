"""What every command prints with: rich for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pointsman_operator.cli import exits

WIDTH_OF_A_FILE = 160
"""Columns where nobody looks at a terminal: wide enough that no table is cut."""
OUT = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
ERR = Console(stderr=True)
PICODOLLARS = Decimal(10) ** 12
JSONFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


@contextmanager
def silent(console: Console, *, when: bool) -> Iterator[None]:
    """Print nothing for people while the block runs, if a program reads instead."""
    before, console.quiet = console.quiet, console.quiet or when
    try:
        yield
    finally:
        console.quiet = before


def emit(document: Any) -> None:
    """Print one JSON document on standard output, nothing else."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def stop(message: str, status: int = exits.UNAVAILABLE, remedy: str = "") -> NoReturn:
    """End with one sentence on standard error, and what to do about it."""
    ERR.print(f"[bold red]pointsman:[/] {escape(message)}", highlight=False, soft_wrap=True)
    if remedy:
        ERR.print(escape(f"  {remedy}"), highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table; a column whose name begins with `>` is right-aligned."""
    grid = Table(
        title=title or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2)
    )
    for column in columns:
        grid.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        grid.add_row(*(str(cell) for cell in row))
    return grid


def dollars(picodollars: int) -> str:
    """Money for people: exact, without exponent, at least cents."""
    amount = Decimal(picodollars) / PICODOLLARS
    text = f"{amount:f}".rstrip("0") if "." in f"{amount:f}" else f"{amount:f}"
    whole, _, fraction = text.partition(".")
    return f"${whole}.{fraction.ljust(2, '0')}"


def micro(value: int) -> str:
    """A probability given in millionths, as a decimal."""
    return f"{value / 1_000_000:.3f}"
