"""`docs/clients.md` says what this run saw. Runs after all others, whose cells it takes."""

from __future__ import annotations

import pytest

from support import clients_others
from support.clients import CLIENTS
from support.clients_faults import tables
from support.clients_page import MADE, PAGE, complete, page
from support.clients_world import PROVIDERS
from support.faults_page import part


def test_the_page_is_what_was_seen() -> None:
    """The committed page equals the one that this run makes; a run of a selection makes none."""
    if not (complete(CLIENTS, PROVIDERS) and clients_others.complete()):
        pytest.skip("only a run of all of tests/clients makes the page")
    made = page(CLIENTS, tuple(PROVIDERS)) + clients_others.tables()
    MADE.parent.mkdir(parents=True, exist_ok=True)
    MADE.write_text(made)
    assert PAGE.read_text() == made, f"if the change is meant: cp {MADE} {PAGE}"


def test_the_faults_are_what_was_seen() -> None:
    """So does the part of docs/faults.md that tells what each package raises."""
    made = tables(CLIENTS)
    if made is None:
        pytest.skip("only a run of all of tests/clients makes the page")
    committed, kept = part("clients", made)
    assert committed == made, f"if the change is meant: cp {kept} docs/faults.md"
