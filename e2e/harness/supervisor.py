"""The parent of a cluster's processes: starts and ends them by order, ends with whoever ordered.

Run as a program of its own, standard library only. Orders come as JSON lines on stdin, each is
answered by one line on stdout (`supervision.Supervisor` speaks this). At the end of stdin, that is
when the tests' process is gone for whatever reason, everything is killed. Where it is the first
process of a PID namespace it also collects the orphans of the pods.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
READ_BYTES = 1 << 16


class Children:
    """The started processes by name, and how those that ended did."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}
        self.ended: dict[str, int] = {}

    def start(
        self, name: str, argv: list[str], log: str, variables: dict[str, str], fds: list[int]
    ) -> dict[str, Any]:
        """Start a process with its output in a log, and these of our descriptors open."""
        if name in self.running:
            return {"error": f"{name} runs already"}
        self.ended.pop(name, None)
        try:
            self.running[name] = _spawned(argv, log, variables, fds)
        except OSError as error:
            return {"error": f"{argv[0]}: {error}"}
        return {"pid": self.running[name]}

    def signal(self, name: str, number: int) -> dict[str, Any]:
        """Send a signal; harmless where the process has ended."""
        pid = self.running.get(name)
        if pid is not None:
            os.kill(pid, number)
        return {}

    def state(self) -> dict[str, Any]:
        """Who runs with which PID, who ended with which status (negative: the signal)."""
        return {"running": self.running, "ended": self.ended}

    def collect(self) -> None:
        """Take note of all that ended; orphans that fell to us only vanish."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name in [name for name, running in self.running.items() if running == pid]:
                del self.running[name]
                self.ended[name] = os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """End all that was started and wait for it."""
        for pid in self.running.values():
            os.kill(pid, signal.SIGKILL)
        for pid in self.running.values():
            os.waitpid(pid, 0)


def main() -> int:
    """Obey until stdin ends."""
    # Ctrl-C is for the tests' process; it closes our stdin when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children = Children()
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    orders = b""
    while True:
        readable, _, _ = select.select([sys.stdin, woken], [], [])
        if woken in readable:
            woken.recv(READ_BYTES)
            children.collect()
        if sys.stdin in readable:
            received = os.read(sys.stdin.fileno(), READ_BYTES)
            if not received:
                break
            *lines, orders = (orders + received).split(b"\n")
            for line in lines:
                children.collect()
                print(json.dumps(obeyed(children, json.loads(line))), flush=True)
    children.kill()
    return 0


def obeyed(children: Children, order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order; the answer."""
    match order:
        case {"start": str(name), "argv": list(argv), "log": str(log), **more}:
            return children.start(name, argv, log, more.get("env", {}), more.get("fds", []))
        case {"signal": str(name), "number": int(number)}:
            return children.signal(name, number)
        case {"state": True}:
            return children.state()
    return {"error": f"no such order: {order}"}


def _spawned(argv: list[str], log: str, variables: dict[str, str], fds: list[int]) -> int:
    """Fork and execute; the child dies with us, even where we are killed."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    # Made before the fork: a failed exec tells its reason through it, a good one closes it.
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setsid()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            for fd in fds:
                os.set_inheritable(fd, True)
            os.execvpe(argv[0], argv, os.environ | variables)
        except OSError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(127)
    os.close(writing)
    os.close(output)
    with os.fdopen(reading, "rb") as pipe:
        failure = pipe.read()
    if failure:
        raise OSError(failure.decode())
    return pid


if __name__ == "__main__":
    sys.exit(main())
