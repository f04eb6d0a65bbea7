"""A test cluster held by a process that may be killed, to see what stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.eventually import eventually
from support.tree import ROOT

START_S = 90.0
PROGRAM = """
import sys, signal
from harness import control_plane
if sys.argv[1].startswith("cluster."):
    from harness import cluster
# A shell's background job, as CI may be, has this signal ignored, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
place, name = sys.argv[1].split(".")
with getattr(sys.modules[f"harness.{place}"], name)() as running:
    print(running.supervisor.pid, running.folder, flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass
"""


class Held:
    """A process of its own with a running `control_plane.ControlPlane` or `cluster.Cluster`."""

    def __init__(self, kind: str, folder: Path) -> None:
        log = folder / "held.log"
        path = os.pathsep.join((str(ROOT / "e2e"), str(ROOT / "tests")))
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, kind],
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": path},
            )
        eventually(lambda: self._process.poll() is not None or _told(log), START_S)
        assert self._process.poll() is None, log.read_text()
        supervisor, place = _told(log)
        self.supervisor = int(supervisor)
        self.folder = Path(place)

    def kill(self) -> None:
        """End it without a chance to clean up."""
        self._process.kill()
        self._process.wait()

    def interrupt(self) -> None:
        """End it as Ctrl-C does; returns when it has cleaned up."""
        self._process.send_signal(signal.SIGINT)
        try:
            assert self._process.wait(START_S) == 0
        finally:
            # A cluster that did not end must not outlive its test.
            self.kill()


def below(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in below(int(child)))]


def _told(log: Path) -> list[str]:
    text = log.read_text()
    return text.splitlines()[-1].split() if text.endswith("\n") else []
