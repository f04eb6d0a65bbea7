"""What a container's memory cgroup and its first process say: the kernel's own figures."""

from __future__ import annotations

from pathlib import Path

from harness.cluster import Cluster
from harness.prerequisites import CGROUPS

KIB = 1024


class ContainerMemory:
    """One container of one pod, until it restarts."""

    def __init__(self, cluster: Cluster, container_id: str) -> None:
        """`container_id` as a pod's status has it."""
        task = container_id.removeprefix("containerd://")
        found = [*CGROUPS.glob(f"memory/{cluster.cgroup}/**/{task}")]
        found += CGROUPS.glob(f"{cluster.cgroup}/**/{task}")
        self._group = found[0]

    def limit_bytes(self) -> int:
        """Above, the kernel kills."""
        return self._number("memory.limit_in_bytes", "memory.max")

    def peak_bytes(self) -> int:
        """The most that was ever charged: with page cache and memory-backed volumes."""
        return self._number("memory.max_usage_in_bytes", "memory.peak")

    def peak_rss_bytes(self) -> int:
        """The largest resident set of its first process."""
        first = (self._group / "cgroup.procs").read_text().split()[0]
        lines = Path(f"/proc/{first}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * KIB

    def oom_kills(self) -> int:
        """Processes that the kernel has killed for want of memory."""
        events = self._file("memory.oom_control", "memory.events").read_text().splitlines()
        return int(dict(line.split() for line in events)["oom_kill"])

    def _number(self, *names: str) -> int:
        return int(self._file(*names).read_text())

    def _file(self, *names: str) -> Path:
        """By its name in version 1 or version 2."""
        return next(self._group / name for name in names if (self._group / name).exists())
