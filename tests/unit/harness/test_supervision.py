"""The parent of a cluster's processes: what it starts lives as long as it is wanted, no longer."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from harness.supervision import ClusterError, Supervisor

FOREVER = (sys.executable, "-I", "-c", "import signal; print('up', flush=True); signal.pause()")


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """A fresh one; closing twice is harmless."""
    with Supervisor("unit") as made:
        yield made


def test_a_command_is_run_to_its_end(supervisor: Supervisor) -> None:
    """What it wrote comes back."""
    assert supervisor.finish("hello", ["/bin/echo", "hello"]) == "hello\n"


def test_a_failed_command_shows_its_log(supervisor: Supervisor) -> None:
    """The reason is in the error, not in a file that is about to go."""
    with pytest.raises(ClusterError, match=r"status 3:(.|\n)*because"):
        supervisor.finish("sad", ["/bin/sh", "-c", "echo because; exit 3"])


def test_a_program_that_is_not_there_is_an_error(supervisor: Supervisor) -> None:
    """Not a process that ends at once without a word."""
    with pytest.raises(ClusterError, match="No such file"):
        supervisor.start("none", ["/nowhere/to/be/found"])


def test_waiting_ends_early_when_its_process_has(supervisor: Supervisor) -> None:
    """Who waits for a component that died is told so at once, with its last words."""
    supervisor.start("dying", ["/bin/sh", "-c", "echo aargh; exit 1"])
    with pytest.raises(ClusterError, match=r"dying ended before: heaven(.|\n)*aargh"):
        supervisor.until(lambda: False, "heaven", 30, needs=("dying",))


def test_a_process_may_be_killed_and_started_again(supervisor: Supervisor) -> None:
    """Under the same name, which is free as soon as the signal has done its work."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        supervisor.start("again", FOREVER)
        with pytest.raises(ClusterError, match="again runs already"):
            supervisor.start("again", FOREVER)
        supervisor.kill("again", number)
        assert not supervisor.runs("again")


def test_orders_to_a_dead_supervisor_fail(supervisor: Supervisor) -> None:
    """An end that nobody ordered is an error for the next who orders, not a hang."""
    folder = supervisor.folder
    supervisor.close()
    assert not folder.exists()
    with pytest.raises(ClusterError, match="has ended"):
        supervisor.runs("anything")
