"""Tables from a file, or from a folder: what is served without a hub, or while it is away.

Started by `__main__` as one of the supervisor's duties. In a pod the folder is the namespace's
ConfigMap, one envelope a policy; whom each is for is said in it (`target`).
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from pointsman_sidecar import limits
from pointsman_sidecar.table import TableError, Tables, envelope_of, read_document
from pointsman_sidecar.target import read_labels, target_of

LOGGER = logging.getLogger(__name__)
Seen = tuple[object, ...]


class FileSource:
    """Watches a table file, or the tables in a folder (a mounted ConfigMap)."""

    def __init__(self, path: Path, tables: Tables, labels_file: Path | None = None) -> None:
        self._path = path
        self._tables = tables
        self._labels_file = labels_file

    def run(self, stop: threading.Event) -> None:
        """Offer the table that is for us, now and whenever files or labels have changed."""
        seen: Seen = ()
        while not stop.is_set():
            seen = self.look(seen)
            stop.wait(limits.WATCH_EVERY_S)

    def look(self, seen: Seen) -> Seen:
        """Load the table if what there is is not what was seen last; what is seen now."""
        if self._tables.hub_leads():
            # The kubelet brings a ConfigMap late: it must not undo what the hub has sent.
            return ()
        try:
            files = self._files()
            labels = read_labels(self._labels_file)
            now = (tuple(sorted(labels.items())), *map(_state, files))
            if now == seen:
                return seen
            document = chosen([read_document(path) for path in files], labels)
            if document is not None:
                self._tables.offer(envelope_of(document), authenticated=False)
        except (OSError, TableError, ValueError) as error:
            text = f"no table from {self._path}: {error}"
            if text != self._tables.trouble.get("file"):
                LOGGER.warning("%s", text)
            self._tables.trouble["file"] = text
            return seen
        self._tables.trouble.pop("file", None)
        return now

    def _files(self) -> list[Path]:
        """The file itself; in a folder the plain table, or all packed ones."""
        if not self._path.is_dir():
            return [self._path]
        plain = self._path / "table.json"
        return [plain] if plain.exists() else sorted(self._path.glob("*.json.gz"))


def chosen(documents: list[Any], labels: dict[str, str]) -> Any:
    """The envelope that is for a pod with these labels; one without a target is for anybody."""
    best = None
    for document in documents:
        target = target_of(document)
        if target is None:
            return document
        if target.serves(labels) and (best is None or target.order < best[0]):
            best = (target.order, document)
    return None if best is None else best[1]


def _state(path: Path) -> tuple[str, int, int, int]:
    status = path.stat()
    return (path.name, status.st_ino, status.st_mtime_ns, status.st_size)
