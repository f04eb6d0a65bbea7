"""Child processes of the local stack: started so that they end with us, watched, ended in order."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pointsman_operator.catalog.providers import variables

LOOK_EVERY_S = 0.02
LOG_TAIL_LINES = 12
KILL_AFTER_S = 25.0


class StackError(Exception):
    """A part of the stack is missing, will not start or has died; the message is for the user."""


@dataclass
class Child:
    """One process and its log file."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The running process."""
        if self._process is None:
            raise StackError(f"{self.name} was not started")
        return self._process.pid

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches us only."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                (*ending_with_us(), *self.arguments),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a crash would be; returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        if self._process is None or not self.alive():
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def obituary(self) -> str:
        """How it ended, with the end of its log."""
        status = None if self._process is None else self._process.poll()
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        tail = "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])
        return f"{self.name} ended with status {status}; the end of {self.log}:\n{tail}"


def without_provider_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which no provider's key is: only the sidecar may see one (I7)."""
    keys = variables()
    return {name: value for name, value in environment.items() if name not in keys}


def ending_with_us() -> tuple[str, ...]:
    """A prefix that has the kernel end the child when we are killed (util-linux's setpriv)."""
    program = shutil.which("setpriv")
    return (program, "--pdeathsig", "TERM", "--") if program else ()


def wait_until(
    condition: Callable[[], object], children: Iterable[Child], what: str, within_s: float
) -> None:
    """Wait for what these children bring about; raises StackError when it does not come."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    children = tuple(children)
    while not condition():
        for child in children:
            if not child.alive():
                raise StackError(child.obituary())
        if time.monotonic() > deadline:
            raise StackError(f"{what} did not happen within {within_s:.0f} s")
        pause.wait(LOOK_EVERY_S)
