"""The foreign simulator runs on the Node that the setup pins, whatever the machine has."""

from __future__ import annotations

import re
import subprocess

from support.tree import ROOT
from support.upstreams import AIMOCK, NODE


def test_node_comes_with_the_checkout() -> None:
    """Version and hashes stand in requirements/node.txt; nothing on the PATH is needed."""
    pinned = re.search(r"==([\d.]+)", (ROOT / "requirements" / "node.txt").read_text())
    assert pinned is not None
    said = subprocess.run(
        [NODE, AIMOCK, "--help"], env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    version = subprocess.run(
        [NODE, "--version"], env={"PATH": ""}, capture_output=True, text=True, check=True
    )
    assert version.stdout.strip() == f"v{pinned[1]}"
