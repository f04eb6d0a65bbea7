"""Programs that run in a container as long as a block of a test does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.kubectl import Kubectl

ENDS_WITHIN_S = 120.0
"""What it was at when it was told to end may take its time."""


@contextmanager
def running(
    kubectl: Kubectl, where: tuple[str, str], said: Path, program: str, *arguments: str
) -> Iterator[None]:
    """A Python program in a pod's container; what it writes goes to the file `said`.

    It is to end, well, when its standard input does: at the end of the block, or with this process.
    """
    pod, container = where
    place = ("exec", "--stdin", pod, f"--container={container}", "--")
    argv = kubectl.command(*place, "python3", "-uc", program, *arguments)
    with (
        said.open("w") as file,
        subprocess.Popen(
            argv,
            env=kubectl.environment(),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(ENDS_WITHIN_S)
            finally:
                process.kill()
    assert process.returncode == 0, said.read_text()
