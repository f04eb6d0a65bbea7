"""One line a module: two providers `a` and `b`, `auto` goes to `a`, then to `b`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.line import Line, line
from support.tables import model, table


def roomy(made: Line) -> dict[str, Any]:
    """Windows that no body of a test exceeds."""
    return table([model(name, made.url(name), contextWindow=10**9) for name in made.providers])


@pytest.fixture(scope="module")
def shared_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Started once a module."""
    with line(tmp_path_factory.mktemp("line"), "a", "b", build=roomy) as made:
        yield made


@pytest.fixture
def here(shared_line: Line) -> Line:
    """The module's line with healthy providers."""
    for name in shared_line.providers:
        shared_line.script(name)
    return shared_line
