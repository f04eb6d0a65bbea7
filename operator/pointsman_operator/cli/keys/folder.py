"""Keys of a `pointsman up` on this machine: a file each, which its router reads."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.keys.shelf import Decide, Entries, check_room

FOLDER_MODE = 0o700
FILE_MODE = 0o600


@dataclass(frozen=True)
class FolderShelf:
    """One folder."""

    folder: Path

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.folder)

    def read(self) -> Entries:
        """All files but drafts."""
        try:
            names = sorted(path for path in self.folder.iterdir() if path.name[0] != ".")
            return {path.name: path.read_bytes() for path in names}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise HubError(f"the keys cannot be read: {error}") from error

    def change(self, decide: Decide) -> None:
        """One writer at a time; a reader sees each file before or after, never in between."""
        try:
            self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            with self._alone():
                entries = self.read()
                changes = decide(entries)
                check_room(entries, changes)
                for name, data in changes.items():
                    self._put(name, data)
        except OSError as error:
            raise HubError(f"the keys cannot be written: {error}") from error

    def _put(self, name: str, data: bytes | None) -> None:
        if data is None:
            (self.folder / name).unlink(missing_ok=True)
            return
        draft = self.folder / f".{name}"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as to:
            to.write(data)
        draft.replace(self.folder / name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
