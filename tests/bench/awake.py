"""Cores that never halt: what `idle=poll` does, for as long as a block runs.

A process of the idle class runs on each core whenever nothing else wants to; whatever wakes takes
the core from it at once. Baselines and the sidecar are measured alike.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.machine import LOAD_CORE, PROXY_CORE

SPIN = """\
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print(flush=True)
while True:
    pass
"""


@contextmanager
def keep_awake() -> Iterator[None]:
    """Both cores run something all the while."""
    with ExitStack() as stack:
        for core in (PROXY_CORE, LOAD_CORE):
            command = [sys.executable, "-S", "-c", SPIN, str(core)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            if process.stdout is not None:
                process.stdout.readline()
        yield
