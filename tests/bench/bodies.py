"""Request bodies: real questions as the last turn, filled to size with earlier turns."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

RESOURCES = Path(__file__).parent / "resources"
LARGE_BYTES = 100_000
"""Bodies from this size on come in fewer kinds, so that the file stays within memory."""
LARGE_KINDS = 200

_FILL = "Earlier in this conversation we agreed on the outline and on the units to use. "


def prompts() -> list[str]:
    """The recorded questions, all different."""
    with gzip.open(RESOURCES / "prompts.csv.gz", "rt", newline="") as file:
        return [row["prompt"] for row in csv.DictReader(file)]


def write_bodies(path: Path, model: str, size: int, extra: dict[str, Any] | None = None) -> None:
    """Write one body a line, each of about `size` bytes, each with another question."""
    questions = prompts()
    if size >= LARGE_BYTES:
        questions = questions[:LARGE_KINDS]
    with path.open("w") as file:
        for question in questions:
            file.write(body(model, question, size, extra or {}) + "\n")


def body(model: str, question: str, size: int, extra: dict[str, Any]) -> str:
    """One chat request; never cut, so a long question may exceed `size`."""
    bare = _document(model, "", question, extra)
    room = size - len(bare.encode())
    fill = (_FILL * (room // len(_FILL) + 1))[: max(room, 0)]
    return _document(model, fill, question, extra)


def _document(model: str, fill: str, question: str, extra: dict[str, Any]) -> str:
    messages = [
        {"role": "system", "content": "You answer questions about homework."},
        {"role": "user", "content": fill},
        {"role": "assistant", "content": "Understood."},
        {"role": "user", "content": question},
    ]
    document = {"model": model, **extra, "messages": messages}
    return json.dumps(document, separators=(",", ":"))
