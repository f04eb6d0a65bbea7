"""What people type finds the programs of tests and e2e, whatever imports what among them."""

from __future__ import annotations

import subprocess

import pytest

from support.tree import ROOT


@pytest.mark.parametrize(("target", "options"), [("cluster", "CLUSTER"), ("scale", "SCALE")])
def test_a_command_says_how_it_is_used(target: str, options: str) -> None:
    """As the Makefile calls it, but for the setup before, which these tests have had."""
    command = ["make", "--silent", target, "SETUP=true", f"{options}=--help"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"usage: make {target}" in ran.stdout
