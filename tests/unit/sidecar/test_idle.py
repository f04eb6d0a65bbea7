"""An idle sidecar is small: its process holds the standard library and the engine, nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pointsman_sidecar

PACKAGES = Path(pointsman_sidecar.__file__).parents[1]
CODE = """
import json, sys
import pointsman_sidecar.__main__
known = sys.stdlib_module_names | {"pointsman_sidecar", "__main__", "__mp_main__"}
heads = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({"foreign": sorted(heads - known), "asyncio": "asyncio" in sys.modules}))
"""


def test_the_idle_process_imports_neither_fastapi_nor_pydantic() -> None:
    """Not these, nor anything else from outside the standard library, nor asyncio."""
    answer = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path[:0] = [{str(PACKAGES)!r}]\n{CODE}",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert json.loads(answer) == {"foreign": [], "asyncio": False}
