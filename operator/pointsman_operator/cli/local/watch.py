"""Notices that a folder of resources has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointsman_operator.api.load import resource_files

Stamp = tuple[tuple[str, int, int], ...]


@dataclass
class FolderWatch:
    """Compares what `load_folder` would read with what it read last."""

    folder: Path
    _seen: Stamp = ()

    def __post_init__(self) -> None:
        """What is there now is not a change."""
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Whether a file came, went or was written since the last call."""
        now = self._stamp()
        if now == self._seen:
            return False
        self._seen = now
        return True

    def _stamp(self) -> Stamp:
        found = []
        for file in resource_files(self.folder):
            try:
                status = file.stat()
            except FileNotFoundError:
                continue
            found.append((str(file), status.st_mtime_ns, status.st_size))
        return tuple(found)
