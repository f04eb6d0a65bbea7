"""The command line `pointsman`: one function a command, help that teaches, `--json` everywhere."""

from __future__ import annotations

from pointsman_operator.cli.application import main

__all__ = ["main"]
