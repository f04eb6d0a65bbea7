"""Providers to send SDKs to: our simulator and an outside one, asked the same questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import httpx

from support.eventually import eventually
from support.processes import START_S, Process, Simulator
from support.scenes import BROKEN_STREAMS, CUTS, SCENES
from support.tree import ROOT

NODE = ROOT / ".venv" / "bin" / "node"
"""The pinned one; what the machine has may be too old."""
AIMOCK = ROOT / "build" / "node" / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"


class Upstream(Protocol):
    """A running simulator."""

    name: str
    url: str

    def bodies(self, model: str) -> list[dict[str, Any]]:
        """What was asked of one upstream model, oldest first."""

    def heads(self, model: str) -> list[str]:
        """The headers that came with each, as one text."""

    def abandoned(self) -> int | None:
        """How many answers their client did not wait for; `None` where it does not count them."""

    def kill(self) -> None:
        """End it."""


class OurSimulator(Simulator):
    """`pointsman-sim`, playing every scene."""

    name = "pointsman-sim"

    def __init__(self, folder: Path) -> None:
        self.captured = folder / "captured"
        rules = [scene.simulated() for scene in (*SCENES, *CUTS, *BROKEN_STREAMS)]
        super().__init__(folder, behaviour=rules, capture=str(self.captured))

    def bodies(self, model: str) -> list[dict[str, Any]]:
        """From its capture."""
        return [body for _, body in self._captured(model)]

    def heads(self, model: str) -> list[str]:
        """From its capture."""
        return [head for head, _ in self._captured(model)]

    def abandoned(self) -> int:
        """It counts them."""
        return int(self.stats()["cancelled"])

    def _captured(self, model: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for head in sorted(self.captured.glob("*.head.json")):  # written after the body
            body = head.with_name(head.name.replace("head.json", "body")).read_bytes()
            document = json.loads(body or "{}")
            if document.get("model") == model:
                found.append((head.read_text(), document))
        return found


class Aimock(Process):
    """npm's `@copilotkit/aimock`, which shares no line with us, playing the common scenes."""

    name = "aimock"

    def __init__(self, folder: Path) -> None:
        assert AIMOCK.exists(), "the outside simulator is not installed: run `make test`"
        fixtures = folder / "fixtures.json"
        entries = [scene.fixture() for scene in SCENES]
        fixtures.write_text(json.dumps({"fixtures": entries}))
        options = ["--port", "0", "--strict", "--validate-on-load", "--fixtures", str(fixtures)]
        super().__init__([NODE, str(AIMOCK), *options], folder / "aimock.log")
        eventually(lambda: self.alive() and "listening on" in self.log.read_text(), START_S)
        said = self.log.read_text()
        self.url = said[said.index("listening on ") :].split()[2]

    def bodies(self, model: str) -> list[dict[str, Any]]:
        """From its journal, which adds members of its own that begin with `_`."""
        return [entry["body"] for entry in self._journal(model)]

    def heads(self, model: str) -> list[str]:
        """From its journal."""
        return [json.dumps(entry["headers"]) for entry in self._journal(model)]

    def abandoned(self) -> int | None:
        """It goes on talking to closed sockets and notes nothing of it."""
        return None

    def _journal(self, model: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/__aimock/journal")
        entries: list[dict[str, Any]] = answer.raise_for_status().json()
        return [entry for entry in entries if entry["body"]["model"] == model]
