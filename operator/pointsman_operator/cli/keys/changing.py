"""What each command does to the entries: pure, so that it can be decided again on newer ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from http import HTTPStatus

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.keys.entry import Entry, EntryError
from pointsman_operator.cli.keys.form import Made
from pointsman_operator.cli.keys.shelf import Changes, Entries


def added(entries: Entries, entry: Entry) -> Changes:
    """One more key; its name must not be in use, because spend and Budgets go by it."""
    if any(known.name == entry.name for known in readable(entries)):
        raise HubError(
            f"there is a key called {entry.name!r}",
            HTTPStatus.CONFLICT,
            "another name, or a new key in its place: pointsman keys rotate",
        )
    return {entry.id: entry.written()}


def revoked(entries: Entries, which: str) -> Changes:
    """Every key of that id or name is gone; also an entry that cannot be read."""
    if which in entries:
        return {which: None}
    return {entry.id: None for entry in named(entries, which)}


def switched(entries: Entries, which: str, *, disabled: bool) -> Changes:
    """Keys of that id or name are shut out, or let in again."""
    return {
        entry.id: entry.model_copy(update={"disabled": disabled}).written()
        for entry in named(entries, which)
    }


def successor(entries: Entries, which: str, made: Made, now: dt.datetime) -> Entry:
    """The key in the place of the newest of that id or name: same name, limits, lifetime."""
    old = max(named(entries, which), key=lambda entry: entry.created)
    lasts = None if old.expires is None else old.expires - old.created
    update = {
        "id": made.id,
        "hash": made.hash,
        "created": now,
        "expires": None if lasts is None else now + lasts,
    }
    return old.model_copy(update=update)


def rotated(entries: Entries, which: str, new: Entry, until: dt.datetime) -> Changes:
    """The new key beside those of that id or name, which end at `until` at the latest."""
    changes: dict[str, bytes | None] = {new.id: new.written()}
    for old in named(entries, which):
        ends = until if old.expires is None else min(old.expires, until)
        changes[old.id] = old.model_copy(update={"expires": ends}).written()
    return changes


def named(entries: Entries, which: str) -> list[Entry]:
    """Those of that id or name; raises `HubError` where there is none."""
    found = [entry for entry in readable(entries) if which in {entry.id, entry.name}]
    if not found:
        raise HubError(
            f"there is no key {which!r}",
            HTTPStatus.NOT_FOUND,
            "which are there? pointsman keys list",
        )
    return found


def readable(entries: Entries) -> list[Entry]:
    """Those that this version understands, oldest first."""
    return sorted(_read(entries), key=lambda entry: (entry.created, entry.id))


def faults(entries: Entries) -> dict[str, str]:
    """What is wrong with those that it does not: no gateway takes their keys."""
    found = {}
    for name, data in entries.items():
        try:
            if Entry.read(data).id != name:
                found[name] = "its `id` is not the entry's name"
        except EntryError as error:
            found[name] = str(error)
    return found


def _read(entries: Entries) -> Iterable[Entry]:
    broken = faults(entries)
    return (Entry.read(data) for name, data in entries.items() if name not in broken)
