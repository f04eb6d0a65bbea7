"""What a restored ledger does until every living holder has come.

A backup knows less than what was granted since: what it calls available may be held, and spent
before its holder next syncs. So nothing is granted for `RESTORE_SETTLE_MS`, and a lease that its
holder reports as its own is open again, be it lost by the restore or unknown to the backup. Who
comes later has lost it. `syncing` calls this within one sync.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.arithmetic import LeaseState, Pot
from pointsman_operator.ledger.books import Books, Holder, Lease
from pointsman_operator.ledger.messages import LeaseReport, SyncRequest

OWN = "u-"
"""How the ids of leases begin that their holder made itself, for what is spent without a grant."""


def left_ms(incarnation: int, began_ms: int, now_ms: int) -> int:
    """For how long nothing is granted yet, where an incarnation began to be served then."""
    if incarnation <= 1:
        return 0  # it was never restored
    return max(0, began_ms + limits.RESTORE_SETTLE_MS - now_ms)


def again_ms(settles_ms: int, holder: Holder) -> int:
    """When a holder should ask again: not all in the moment in which the first may."""
    # The same for a holder each time, so that asking twice does not put it off.
    place = zlib.crc32(f"{holder.sidecar} {holder.boot}".encode())
    return settles_ms + place % limits.RESTORE_SPREAD_MS


def readmit(
    books: Books,
    incarnation: int,
    request: SyncRequest,
    pot_of: Callable[[Lease], Pot | None],
) -> None:
    """Open the leases again that a holder of an older incarnation goes on with, one a pot.

    Its report is booked already. `pot_of` says nothing where Budget or window are unknown.
    """
    if request.incarnation in (0, incarnation):
        return
    holder = Holder(request.sidecar, request.boot)
    taken = {lease.pot for lease in books.open_leases(holder)}
    # Of two leases of a pot, one of them void, the one that is still spent from.
    for report in sorted(request.leases, key=_free, reverse=True):
        lease = books.lease(holder, report.id)
        if lease is None or lease.pot in taken or not _goes_on(report):
            continue
        pot = pot_of(lease)
        if pot is None:
            continue
        numbers = lease.numbers.readmitted(report.granted, at_most=pot.limit)
        if numbers.state is LeaseState.OPEN:
            # In which it was granted: `forget` tells it from those of this one by that.
            books.change(replace(lease, incarnation=request.incarnation), numbers)
            taken.add(lease.pot)


def forget(books: Books, incarnation: int, request: SyncRequest) -> None:
    """Lose readmitted leases that their holder does not name: an old request spoke for them.

    Engines name every lease that they know. Told of one that it has closed and forgotten, a holder
    would spend the whole of it once more.
    """
    holder = Holder(request.sidecar, request.boot)
    named = {report.id for report in request.leases}
    for lease in books.open_leases(holder):
        if lease.incarnation != incarnation and lease.id not in named:
            books.change(lease, lease.numbers.lost())


def _goes_on(report: LeaseReport) -> bool:
    return not report.closed and report.granted > 0 and not report.id.startswith(OWN)


def _free(report: LeaseReport) -> int:
    return report.free or 0
