"""How large a grant is, and when the end of a limit is near: pure decisions over a pot.

`books` asks for every want. Far from the end a holder gets what it prefers, at most its fair share;
near the end it gets what it needs now, idle leases are recalled and renewals come fast, so that the
last dollars are used: as long as the limit is not spent, somebody's next reservation fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.arithmetic import Pot


@dataclass(frozen=True, slots=True)
class Want:
    """What a holder asks for: `need` at once, better `prefer`, both above what it knows, `have`.

    `reserve` would let it go on while the hub is away.
    """

    have: int
    need: int
    prefer: int
    reserve: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a want is answered with: the amount added, and whether the need could not be met."""

    amount: int
    short: bool


def size(pot: Pot, want: Want, granted: int, *, ceiling_percent: int = 100) -> Grant:
    """The grant on top of `granted`, the holder's lease so far.

    A repeated want (its answer was lost) finds `granted` above `have` and adds nothing.
    `ceiling_percent` is the share of the limit at which a Block threshold ends granting.
    """
    left = headroom(pot, ceiling_percent)
    known = min(want.have, granted)
    need = max(0, known + want.need - granted)
    wish = max(0, known + want.prefer - granted)
    lasting = max(0, known + want.reserve - granted)
    share = fair_share(pot, left)
    # Money that lies ready for an outage is out of others' reach: half of what is unspent stays.
    spare = left - (left + pot.leased) // limits.RESERVE_DIVISOR
    amount = min(left, max(need, min(wish, share), min(lasting, share, spare)))
    return Grant(amount, short=need > left)


def headroom(pot: Pot, ceiling_percent: int) -> int:
    """What may be granted below the share of the limit at which calls are blocked."""
    ceiling = pot.limit * min(ceiling_percent, 100) // 100
    return min(pot.available, max(0, ceiling - pot.used - pot.leased))


def fair_share(pot: Pot, left: int) -> int:
    """The most that one holder gets beyond its need.

    A sole holder gets half: nobody competes, so the last dollars take a few syncs instead of one a
    call, and a newcomer still finds the other half.
    """
    if pot.holders <= 1:
        return left // limits.SOLE_SHARE_DIVISOR
    return left // (limits.SHARE_DIVISOR * pot.holders)


def near_end(pot: Pot, needs: Sequence[int], ceiling_percent: int = 100) -> bool:
    """Whether a fair share no longer covers the p95 reservation: grants then go per request."""
    return fair_share(pot, headroom(pot, ceiling_percent)) < p95(needs)


def p95(needs: Sequence[int]) -> int:
    """The 95th percentile by nearest rank; 0 where nothing was asked for yet."""
    if not needs:
        return 0
    return sorted(needs)[-(-95 * len(needs) // 100) - 1]


def renew_every_ms(pot: Pot, hard_expiry_ms: int, *, near: bool) -> int:
    """When a holder should sync again: fast near the end, within what one hub can answer."""
    usual = min(limits.RENEW_EVERY_MS, hard_expiry_ms // limits.RENEWALS_BEFORE_EXPIRY)
    if not near:
        return usual
    paced = pot.holders * 1000 // limits.SYNCS_PER_SECOND_NEAR_END
    return min(usual, max(limits.RENEW_FAST_MS, paced))
