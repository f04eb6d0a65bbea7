"""Looking into a built wheel."""

from __future__ import annotations

import email
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from zipfile import ZipFile


@dataclass(frozen=True)
class Wheel:
    """A built wheel."""

    path: Path

    def members(self) -> dict[str, bytes]:
        """All its files by name."""
        with ZipFile(self.path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def package(self) -> set[str]:
        """The names of what it installs."""
        return {name for name in self.members() if not _in_dist_info(name)}

    def dist_info(self) -> dict[str, bytes]:
        """Its own files, without their folder's name."""
        members = self.members().items()
        return {name.split("/", 1)[1]: data for name, data in members if _in_dist_info(name)}

    def metadata(self) -> Message:
        """METADATA, read."""
        return email.message_from_bytes(self.dist_info()["METADATA"])


def _in_dist_info(name: str) -> bool:
    return ".dist-info/" in name
