"""The limit of open files is raised as far as it may be."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from pointsman_sidecar import limits
from pointsman_sidecar.open_files import raise_open_files

USUAL = 1_024


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The limit is this process's own: put it back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_a_container_runtime_hands_out_is_raised() -> None:
    """From 1,024 to what calls need, or to the hard limit; a second time changes nothing."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL, hard))
    wanted = limits.OPEN_FILES if hard < 0 else min(hard, limits.OPEN_FILES)
    assert raise_open_files() == wanted
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
    assert raise_open_files() == wanted


def test_a_limit_that_is_high_enough_stays() -> None:
    """Who was given more keeps it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL + 1, hard))
    assert raise_open_files(USUAL) == USUAL + 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (USUAL + 1, hard)
