"""API keys in a folder, as `pointsman keys` writes them and a gateway reads them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman_operator.cli.keys import changing
from pointsman_operator.cli.keys.commands import this_second
from pointsman_operator.cli.keys.entry import Entry
from pointsman_operator.cli.keys.folder import FolderShelf
from pointsman_operator.cli.keys.form import Made, make
from pointsman_operator.cli.keys.shelf import SECRET

GATEWAY: dict[str, Any] = {
    "POINTSMAN_MODE": "gateway",
    "POINTSMAN_GATEWAY": "policy/test",
    "POINTSMAN_GATEWAY_PLAIN": "true",
}
"""What makes a sidecar process a gateway with API keys, without TLS on loopback."""


@dataclass
class Keys:
    """The keys of one gateway."""

    secrets: Path

    @property
    def shelf(self) -> FolderShelf:
        """Where they lie."""
        return FolderShelf(self.secrets / SECRET)

    def make(self, name: str, **says: Any) -> Made:
        """A new key; `says` are fields of its entry."""
        made = make()
        entry = Entry(id=made.id, hash=made.hash, name=name, created=this_second(), **says)
        self.shelf.change(lambda entries: changing.added(entries, entry))
        return made

    def expired(self, name: str) -> Made:
        """A key whose time is over."""
        return self.make(name, expires=this_second() - dt.timedelta(seconds=1))

    def revoke(self, which: str) -> None:
        """Gone for good."""
        self.shelf.change(lambda entries: changing.revoked(entries, which))
