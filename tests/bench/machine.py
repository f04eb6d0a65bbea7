"""The machine: which core does what, and what processes used, as the kernel counts it."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROXY_CORE = 0
"""The proxy under test, alone."""
LOAD_CORE = 1
"""Load client, origin, hub and this harness."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_OPEN_FILES = 16_384


class BenchError(Exception):
    """The bench cannot vouch for its numbers; it fails rather than prints."""


@dataclass(frozen=True)
class Usage:
    """Counters at one instant."""

    cpu_s: float
    """User and system time of the watched processes, all threads, living children included."""
    core_busy_s: float
    """Time in which the proxy's core was not idle."""
    core_interrupts_s: float
    """Interrupts and network work on the proxy's core that the kernel books to no process."""
    core_total_s: float
    """Time that passed on the proxy's core."""

    def since(self, earlier: Usage) -> Usage:
        """What was used between `earlier` and this."""
        return Usage(
            self.cpu_s - earlier.cpu_s,
            self.core_busy_s - earlier.core_busy_s,
            self.core_interrupts_s - earlier.core_interrupts_s,
            self.core_total_s - earlier.core_total_s,
        )

    @property
    def busy(self) -> float:
        """Share of the time in which the proxy's core was busy."""
        return self.core_busy_s / self.core_total_s if self.core_total_s else 0.0

    @property
    def foreign(self) -> float:
        """Share of the time that the core spent on anything but the watched processes."""
        own_s = self.cpu_s + self.core_interrupts_s
        return max(0.0, self.core_busy_s - own_s) / self.core_total_s if self.core_total_s else 0.0


def check_machine() -> None:
    """Raise BenchError on a machine that cannot run the bench; allow many sockets."""
    cores = os.sched_getaffinity(0)
    if not {PROXY_CORE, LOAD_CORE} <= cores:
        raise BenchError(f"cores {PROXY_CORE} and {LOAD_CORE} are needed, this process has {cores}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _OPEN_FILES:
        raise BenchError(f"2,000 streams need {_OPEN_FILES} open files, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, hard))
    os.sched_setaffinity(0, {LOAD_CORE})


def usage(pids: list[int]) -> Usage:
    """The counters of the proxy's core and of these processes with their children."""
    return Usage(sum(_cpu_s(pid) for pid in family(pids)), *_core())


def rss_mib(pids: list[int]) -> float:
    """Resident memory of these processes and their children, in MiB."""
    return sum(_rss_kib(pid) for pid in family(pids)) / 1024


def family(pids: list[int]) -> list[int]:
    """These processes and all their descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(path.name))
        if fields:
            parents[int(path.name)] = int(fields[1])
    found = list(pids)
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name; empty when the process is gone."""
    return _stat_text(pid).rpartition(")")[2].split()


def _name(pid: int) -> str:
    """A process's short name; empty when it is gone."""
    return _stat_text(pid).rpartition(")")[0].partition("(")[2]


def _stat_text(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0


def _rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


@cache
def _network_thread() -> int:
    """The kernel's thread for network work on the proxy's core that interrupts leave over."""
    for path in Path("/proc").glob("[0-9]*"):
        if _name(int(path.name)) == f"ksoftirqd/{PROXY_CORE}":
            return int(path.name)
    return 0


def _core() -> tuple[float, float, float]:
    """Seconds that the proxy's core was busy, was in interrupts, and that passed."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{PROXY_CORE}":
            ticks = [int(field) for field in fields[:8]]
            busy = sum(ticks) - ticks[3] - ticks[4]
            interrupts_s = (ticks[5] + ticks[6]) / _TICKS_PER_S + _cpu_s(_network_thread())
            return busy / _TICKS_PER_S, interrupts_s, sum(ticks) / _TICKS_PER_S
    raise BenchError(f"/proc/stat does not count core {PROXY_CORE}")
