"""How much memory this process may take before the kernel kills it. Called by `__main__`, once."""

from __future__ import annotations

from pathlib import Path

from pointsman_sidecar import limits

CGROUPS = Path("/sys/fs/cgroup")
FILES = ("memory.max", "memory/memory.limit_in_bytes")
"""Version 2 and version 1, as a container sees its own group."""


def memory_limit_bytes(cgroups: Path = CGROUPS) -> int | None:
    """The container's memory limit; None where there is none, or no way to tell."""
    for name in FILES:
        try:
            text = (cgroups / name).read_text().strip()
        except OSError:
            continue
        # Version 2 says `max` without a limit, version 1 the largest number of pages.
        if text.isdecimal() and int(text) < limits.MAX_MEMORY_BYTES:
            return int(text)
        return None
    return None
