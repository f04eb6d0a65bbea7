"""How large grants are, far from a limit's end and near it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.arithmetic import Pot
from pointsman_operator.ledger.granting import (
    Grant,
    Want,
    fair_share,
    near_end,
    p95,
    renew_every_ms,
    size,
)

CASES: dict[str, tuple[Pot, Want, int, Grant]] = {
    "far from the end the preference is met": (Pot(10_000), Want(0, 1, 900), 0, Grant(900, False)),
    "a preference takes a fair share at most": (Pot(1000), Want(0, 1, 900), 0, Grant(500, False)),
    "two already share": (Pot(1000, holders=2), Want(0, 1, 900), 0, Grant(125, False)),
    "holders share": (Pot(1000, holders=5), Want(0, 1, 900), 0, Grant(50, False)),
    "a need passes the share": (Pot(1000, holders=5), Want(0, 800, 900), 0, Grant(800, False)),
    "what is left is granted": (Pot(100, settled=40), Want(0, 80, 90), 0, Grant(60, True)),
    "nothing is left": (Pot(100, settled=100), Want(0, 1, 1), 0, Grant(0, True)),
    "a prefetch is never short": (Pot(100, settled=100), Want(0, 0, 50), 0, Grant(0, False)),
    "wants count above what is known": (Pot(10_000), Want(500, 10, 20), 500, Grant(20, False)),
    "a repeated want adds nothing": (Pot(10_000), Want(0, 10, 20), 20, Grant(0, False)),
    "half delivered is topped up": (Pot(10_000), Want(0, 30, 40), 20, Grant(20, False)),
    "a reserve for an outage is met": (Pot(10_000), Want(0, 1, 9, 900), 0, Grant(900, False)),
    "a reserve leaves half": (Pot(1000, leased=400), Want(400, 1, 9, 900), 400, Grant(100, False)),
    "a reserve yields": (Pot(1000, leased=600), Want(600, 0, 0, 900), 600, Grant(0, False)),
    "what is preferred does not": (Pot(900, leased=600), Want(0, 0, 60, 90), 0, Grant(60, False)),
    "reserves are shared, too": (Pot(1000, holders=5), Want(0, 1, 9, 900), 0, Grant(50, False)),
    "knowing more than was granted adds no more": (Pot(10_000), Want(9, 1, 2), 0, Grant(2, False)),
}


@pytest.mark.parametrize(("pot", "want", "granted", "grant"), CASES.values(), ids=CASES.keys())
def test_sizes(pot: Pot, want: Want, granted: int, grant: Grant) -> None:
    """Each case says its rule."""
    assert size(pot, want, granted) == grant


def test_a_block_threshold_ends_granting_below_the_limit() -> None:
    """With Block at 90 %, ten of a hundred are never granted."""
    assert size(Pot(100, settled=80), Want(0, 15, 15), 0, ceiling_percent=90) == Grant(10, True)


@given(
    limit=st.integers(0, 10**6),
    settled=st.integers(0, 10**6),
    leased=st.integers(0, 10**6),
    holders=st.integers(0, 50),
    want=st.builds(Want, *[st.integers(0, 10**6)] * 4),
    granted=st.integers(0, 10**6),
)
def test_no_grant_exceeds_what_is_available(
    limit: int, settled: int, leased: int, holders: int, want: Want, granted: int
) -> None:
    """Whatever is asked, a grant fits; and a need that fits is met in full."""
    pot = Pot(limit, settled=settled, leased=leased, holders=holders)
    grant = size(pot, want, granted)
    assert 0 <= grant.amount <= pot.available
    need = max(0, min(want.have, granted) + want.need - granted)
    assert grant.short == (need > pot.available)
    assert grant.amount >= min(need, pot.available)


def test_the_end_is_near_when_a_fair_share_no_longer_covers_a_reservation() -> None:
    """Available < 4 x holders x p95 need."""
    pot = Pot(1000, holders=5)
    assert fair_share(pot, 1000) == 50
    assert not near_end(pot, [50])
    assert near_end(pot, [51])
    assert not near_end(Pot(0), [])


def test_a_sole_holder_needs_few_grants_to_the_end() -> None:
    """A hundred calls' worth goes in half a dozen grants, and nothing is left unusable."""
    left, grants = 100, 0
    while left:
        left -= size(Pot(left, holders=1), Want(0, 1, 100), 0).amount
        grants += 1
    assert grants <= 8


def test_p95_is_by_nearest_rank() -> None:
    """Of a hundred values the ninety-fifth, of one value that one."""
    assert p95(range(1, 101)) == 95
    assert p95([7]) == 7
    assert p95([]) == 0


def test_renewals_come_fast_near_the_end_but_never_flood_the_hub() -> None:
    """A second for a few holders, paced for many, never slower than the usual."""
    usual = limits.HARD_EXPIRY_MS
    assert renew_every_ms(Pot(1, holders=9), usual, near=False) == limits.RENEW_EVERY_MS
    assert renew_every_ms(Pot(1, holders=9), usual, near=True) == limits.RENEW_FAST_MS
    assert renew_every_ms(Pot(1, holders=1000), usual, near=True) == 5000
    assert renew_every_ms(Pot(1, holders=10**6), usual, near=True) == limits.RENEW_EVERY_MS


def test_a_short_horizon_is_renewed_in_time() -> None:
    """A lease of nine seconds is renewed every three."""
    assert renew_every_ms(Pot(1), 9_000, near=False) == 3_000
