"""Entry of `make bench`: runs the package `bench`, found beside `support` under `tests/`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    runpy.run_module("bench", run_name="__main__", alter_sys=True)
