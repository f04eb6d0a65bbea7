"""What can go wrong with the ledger; each error says what its caller should do."""

from __future__ import annotations


class LedgerError(Exception):
    """Anything the ledger raises on purpose."""


class StoreUnavailable(LedgerError):  # noqa: N818 - a state, and what the API's code says
    """The store does not take a write (disk full, damaged, away): refuse grants, try again."""


class StoreLost(StoreUnavailable):
    """Another hub writes here, or the state has changed under us: end, and start over."""


class TooBusy(LedgerError):  # noqa: N818
    """Too many requests wait already: try again later."""


class StoreRefused(LedgerError):  # noqa: N818
    """The store cannot be opened: in use, on a network file system, or of a newer version."""


class NotReleasable(LedgerError):  # noqa: N818
    """There is no such lease, or its holder may still spend."""
