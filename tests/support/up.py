"""A running `pointsman up`, from the checkout or from wheels."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from support.eventually import eventually
from support.processes import START_S, Process


class Up(Process):
    """`up --json` on a free port; `said` is the one line that it prints once everything serves."""

    def __init__(
        self, program: str | Path, resources: Path, state: Path, log: Path, **variables: str
    ) -> None:
        where: list[str | Path] = ["-f", resources, "--state", state, "--port", "0", "--json"]
        super().__init__([program, "up", *where], log, **variables)
        eventually(self._announced, within_s=START_S)
        self.said: dict[str, Any] = json.loads(self._announced()[0])

    def end(self, number: int = signal.SIGTERM, within_s: float = 60.0) -> int:
        """Send a signal and wait; its exit status."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        return self.child.wait(within_s)

    def _announced(self) -> list[str]:
        self.alive()
        return [line for line in self.log.read_text().splitlines() if line.startswith("{")]
