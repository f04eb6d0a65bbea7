"""Where keys' entries lie: one Secret of a namespace, or a folder of `pointsman up`.

Both change by `Decide`: it sees all entries and says which become what. It may be called again with
newer ones, so that of two people who change something at once neither loses anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pointsman_operator.cli.hub_client import HubError

SECRET = "pointsman-api-keys"  # noqa: S105 - the Secret's name
ENTRIES_MOST = 4_096
"""A gateway reads no more."""
Entries = Mapping[str, bytes]
Changes = Mapping[str, bytes | None]
"""By entry; None: it goes."""
Decide = Callable[[Entries], Changes]


class Shelf(Protocol):
    """One place of keys."""

    @property
    def where(self) -> str:
        """As people name it."""
        ...

    def read(self) -> Entries:
        """All entries; none where there is no such place yet. Raises `HubError`."""
        ...

    def change(self, decide: Decide) -> None:
        """Do what `decide` says of the entries as they are. Raises `HubError`."""
        ...


def check_room(entries: Entries, changes: Changes) -> None:
    """Raises `HubError` where there would be more keys than a gateway reads."""
    if len(entries.keys() | {name for name, data in changes.items() if data}) > ENTRIES_MOST:
        raise HubError(
            f"a gateway knows at most {ENTRIES_MOST} keys",
            remedy="revoke what is no longer used: pointsman keys list",
        )
