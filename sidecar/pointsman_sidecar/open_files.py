"""How many files this process may have open. Called by `__main__`, once."""

from __future__ import annotations

import logging
import resource

from pointsman_sidecar import limits

LOGGER = logging.getLogger(__name__)


def raise_open_files(wanted: int = limits.OPEN_FILES) -> int:
    """Raise the soft limit as far as the container allows and calls need; returns what it is now.

    Container runtimes hand out 1,024 by default: five hundred calls, each with two sockets.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < limits.LEAST_OPEN_FILES:
        LOGGER.warning("only %d open files are allowed: some %d calls at once", most, most // 2)
    return most
