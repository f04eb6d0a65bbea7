"""What the kernel says of a process and of this machine."""

from __future__ import annotations

import datetime as dt
import os
import resource
from pathlib import Path

_OPEN_FILES = 16_384


def rss_mib(pid: int, *, peak: bool = False) -> float:
    """Resident memory in MiB; `peak`: the most since its start."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(wanted):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} says no {wanted}")


def processor_s(pid: int) -> float:
    """User and system time of all its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load() -> float:
    """Processes that ran or waited to run, mean of the last minute."""
    return round(os.getloadavg()[0], 1)


def machine() -> dict[str, object]:
    """When and on what this runs."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": models[0] if models else "unknown",
        "memory_gib": round(pages / 2**30),
        "load_before": load(),
    }


def allow_files(wanted: int = _OPEN_FILES) -> None:
    """Let this process and its children open that many files; raises RuntimeError."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RuntimeError(f"{wanted} open files are needed, the limit (ulimit -Hn) is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
