"""An app that calls on and on, followed from outside: what failed, and that it goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import apps
from harness.kubectl import Kubectl
from support.eventually import eventually

PROGRAM = (apps.PROGRAMS / "calls_until_told.py").read_text()
MORE = 20
"""Calls that tell that all is well."""


class Followed:
    """What the only pod of the app has said so far."""

    def __init__(self, kubectl: Kubectl, file: Path, following: subprocess.Popen[bytes]) -> None:
        self._kubectl, self._file, self._following = kubectl, file, following

    def said(self) -> list[str]:
        """A line a call, whole ones only."""
        whole, _, _ = self._file.read_text().rpartition("\n")
        return whole.splitlines()

    def go_on(self) -> None:
        """Return when some more were answered; not one has failed so far."""
        wanted = len(self.said()) + MORE
        eventually(lambda: len(self.said()) >= wanted, 60)
        assert self.failed() == []

    def failed(self) -> list[str]:
        """Those that were not answered."""
        return [line for line in self.said() if not line.startswith(("ok ", "ended"))]

    def end(self) -> int:
        """Let the app end in order; how many calls there were."""
        self._kubectl("scale", apps.APP, "--replicas=0")
        eventually(lambda: "ended" in self.said(), 60)
        self._following.wait(60)
        assert self.failed() == []
        return len(self.said()) - 1


@contextmanager
def followed(kubectl: Kubectl, folder: Path) -> Iterator[Followed]:
    """Of `apps.app(program=PROGRAM)`, which runs."""
    (pod,) = apps.running(kubectl)
    path = folder / "calls"
    argv = kubectl.command("logs", "--follow", pod["metadata"]["name"], "--container=app")
    with path.open("w") as file:
        following = subprocess.Popen(argv, env=kubectl.environment(), stdout=file)
    try:
        made = Followed(kubectl, path, following)
        made.go_on()
        yield made
    finally:
        following.terminate()
        following.wait()
