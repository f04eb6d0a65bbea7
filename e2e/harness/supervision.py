"""The tests' end of `supervisor` and `janitor`: processes that outlive a test, never the run."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent
PYTHON = (sys.executable, "-I")
LOOK_EVERY_S = 0.03
JANITOR_S = 180.0
LOG_TAIL_LINES = 30


class ClusterError(Exception):
    """A cluster did not do what it must; the message holds the end of the log that tells why."""


class Supervisor:
    """Starts, signals and ends processes that share one fate and one folder.

    `enter` is a command that the supervisor itself is started by, to put everything into
    namespaces; `cgroup` is the name below each cgroup hierarchy that is removed at the end.
    The folder goes with `close`, and also when this process is killed.
    """

    def __init__(
        self, purpose: str, enter: Sequence[str] = (), cgroup: str = "", fds: Sequence[int] = ()
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"pointsman-{purpose}-"))
        self._lock = threading.Lock()
        self._child = subprocess.Popen(
            [*enter, *PYTHON, str(HERE / "supervisor.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=tuple(fds),
            text=True,
        )
        self._janitor = subprocess.Popen(
            [*PYTHON, str(HERE / "janitor.py"), str(self._child.pid), str(self.folder), cgroup],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @property
    def pid(self) -> int:
        """The process that was started; inside `enter` the supervisor is a child of it."""
        return self._child.pid

    def start(
        self, name: str, argv: Sequence[str | Path], fds: Sequence[int] = (), **variables: str
    ) -> None:
        """Start a process whose output goes to `log(name)`."""
        self._order(
            start=name,
            argv=[str(part) for part in argv],
            log=str(self.log(name)),
            env=variables,
            fds=list(fds),
        )

    def kill(self, name: str, number: int = signal.SIGKILL, within_s: float = 30.0) -> None:
        """Send a signal and wait for the process to end."""
        self._order(signal=name, number=int(number))
        self.until(lambda: not self.runs(name), f"{name} ends", within_s)

    def signal(self, name: str, number: int) -> None:
        """Send a signal, for example SIGSTOP and SIGCONT; harmless on one that has ended."""
        self._order(signal=name, number=int(number))

    def runs(self, name: str) -> bool:
        """Whether a process has been started and has not ended."""
        return name in self._order(state=True)["running"]

    def log(self, name: str) -> Path:
        """Where a process writes to."""
        return self.folder / f"{name}.log"

    def finish(self, name: str, argv: Sequence[str | Path], within_s: float = 120.0) -> str:
        """Run a command to its end; what it wrote. Raises ClusterError where it fails."""
        self.start(name, argv)
        self.until(lambda: not self.runs(name), f"{name} ends", within_s)
        status = self._order(state=True)["ended"][name]
        if status != 0:
            raise ClusterError(f"{name} ended with status {status}:\n{self.tail(name)}")
        return self.log(name).read_text()

    def until(
        self,
        condition: Callable[[], object],
        what: str,
        within_s: float,
        needs: Sequence[str] = (),
    ) -> None:
        """Wait for a condition; raises ClusterError when it is late or one of `needs` has ended."""
        deadline = time.monotonic() + within_s
        pause = threading.Event()
        while not condition():
            dead = [name for name in needs if not self.runs(name)]
            if dead:
                tails = "\n".join(self.tail(name) for name in dead)
                raise ClusterError(f"{', '.join(dead)} ended before: {what}\n{tails}")
            if time.monotonic() > deadline:
                tails = "\n".join(self.tail(name) for name in needs)
                raise ClusterError(f"not within {within_s:.0f} s: {what}\n{tails}")
            pause.wait(LOOK_EVERY_S)

    def tail(self, name: str) -> str:
        """The end of a process's log."""
        path = self.log(name)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join([f"--- {name}", *lines[-LOG_TAIL_LINES:]])

    def keep_logs(self, destination: Path) -> None:
        """Copy all logs to a folder that outlives us."""
        destination.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.log"):
            shutil.copy2(path, destination / path.name)

    def close(self) -> None:
        """End everything and remove what is left; raises ClusterError where something stays."""
        if self._janitor.poll() is not None:
            return
        # One way down, whether it is us or our death that closes this pipe.
        _, said = self._janitor.communicate(timeout=JANITOR_S)
        self._child.wait(JANITOR_S)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        if self._janitor.returncode != 0:
            raise ClusterError(f"not everything could be removed: {said}")

    def _order(self, **order: Any) -> dict[str, Any]:
        with self._lock:
            assert self._child.stdin is not None
            assert self._child.stdout is not None
            try:
                self._child.stdin.write(json.dumps(order) + "\n")
                self._child.stdin.flush()
                line = self._child.stdout.readline()
            except (BrokenPipeError, ValueError):  # it has ended; we have closed it
                line = ""
        if not line:
            raise ClusterError("the supervisor of the cluster's processes has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ClusterError(answer["error"])
        return answer
