"""Outlives the tests' process by a second and removes all that a cluster leaves.

Run as a program of its own: `janitor.py PID FOLDER [CGROUP]`. It does nothing until its stdin ends,
that is until the tests close it or are killed. Then it kills the cluster's first process with all
that hangs on it, waits for the last of them, and removes the cgroups and the folder.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
END_S = 30.0
LOOK_EVERY_S = 0.05


def main() -> int:
    """Wait, then clean; 1 and a line on stderr for what could not be removed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    pid, folder, cgroup = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    try:
        # A descriptor, not the number: that could be another process's by then.
        first = os.pidfd_open(pid)
    except ProcessLookupError:
        first = -1
    while sys.stdin.buffer.read(1):
        pass
    left: list[str] = []
    if first >= 0:
        left += _ended(pid, first)
    if cgroup:
        left += _without_cgroups(cgroup)
    shutil.rmtree(folder, ignore_errors=True)
    left += [str(folder)] if folder.exists() else []
    if left:
        print(", ".join(left), file=sys.stderr)
    return 1 if left else 0


def _ended(pid: int, first: int) -> list[str]:
    """Kill the process and its children, which take theirs with them; the PIDs that stay."""
    # Inside a PID namespace the supervisor is the child of `unshare`, and the first to end.
    children = {child: os.pidfd_open(child) for child in _children(pid)}
    for descriptor in (*children.values(), first):
        _signalled(descriptor, signal.SIGKILL)
    waiting = {pid: first, **children}
    return [f"process {one}" for one, descriptor in waiting.items() if not _gone(descriptor)]


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in listed.split()]


def _signalled(descriptor: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return


def _gone(descriptor: int) -> bool:
    """Whether a process ends in time: its descriptor becomes readable then."""
    return bool(select.select([descriptor], [], [], END_S)[0])


def _without_cgroups(name: str) -> list[str]:
    """Remove the cgroups of that name from each hierarchy, innermost first; those that stay."""
    deadline = time.monotonic() + END_S
    while True:
        for top in _cgroups(name):
            for folder, _, _ in os.walk(top, topdown=False):
                _removed(Path(folder))
        left = [str(top) for top in _cgroups(name)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(LOOK_EVERY_S)


def _cgroups(name: str) -> list[Path]:
    """In version 1 one below each hierarchy, in version 2 one."""
    return [path for path in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if path.is_dir()]


def _removed(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # its last process is still on its way out: the next round finds it empty


if __name__ == "__main__":
    sys.exit(main())
