"""How a limit stands for people, and when it is told to be nearly used up or to refuse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pointsman_operator.hub import limits
from pointsman_operator.hub.quota.messages import HoldReport, Unit
from pointsman_operator.hub.quota.pot import Pot
from pointsman_operator.hub.quota.strain import Strain

A, B = ("uid-a", "boot-1"), ("uid-b", "boot-1")
LOOK_MS = int(limits.STRAIN_LOOK_S * 1000)


def said(pot: Pot, **more: int) -> HoldReport:
    """What a holder says that has all it was ever granted."""
    granted = {"granted": pot.held, "returned": 0, "term": 1, "want": 10, "need": 1}
    return HoldReport.model_validate(
        {"limit": "demo/main/gpt", "unit": Unit.REQUESTS, **(granted | more)}
    )


def test_what_holders_say_is_summed_up() -> None:
    """Used, waiting and lacking as of now; waits and refusals as they grow."""
    pot = Pot(10)
    pot.hear(A, said(pot, need=0), 0, grants=True)
    pot.hear(A, said(pot, used=7, waiting=2, waited=3, refused=1), 1_000, grants=True)
    pot.hear(B, said(pot, granted=0, waiting=1, waited=5, refused=5), 1_000, grants=True)
    pot.hear(B, said(pot, granted=0, waiting=4, waited=9, refused=6), 2_000, grants=True)
    seen = pot.figures(2_000)
    assert (seen.total, seen.held, seen.resting, seen.free) == (10, 10, 0, 0)
    assert (seen.used, seen.waiting, seen.holders, seen.lacking) == (7, 6, 2, 1)
    # What B counted before the hub heard of it is not counted.
    assert (seen.waited, seen.refused) == (3 + 4, 1 + 1)
    assert [holder for holder, _ in pot.largest(1)] == [B], "who waits comes first"


def test_a_late_word_and_a_lapsed_share_count_nothing_twice() -> None:
    """Counts rise for a holder's whole start, whatever becomes of its share."""
    pot = Pot(10)
    pot.hear(A, said(pot), 0, grants=True)
    pot.hear(A, said(pot, waited=5, refused=5), 1_000, grants=True)
    pot.hear(A, said(pot, waited=2, refused=1), 1_500, grants=True)
    pot.hear(A, said(pot, granted=0, term=2, waited=6, refused=8), 2_000, grants=True)
    assert (pot.figures(2_000).waited, pot.figures(2_000).refused) == (6, 8)


def test_what_was_used_is_forgotten_after_a_minute() -> None:
    """A holder that fell silent may be gone."""
    pot = Pot(10)
    pot.hear(A, said(pot, used=7), 0, grants=True)
    assert pot.figures(limits.SHARE_RESTS_MS - 1).used == 7
    assert pot.figures(limits.SHARE_RESTS_MS).used == 0


@pytest.fixture
def moments() -> Iterator[int]:
    """When it is looked, from some moment on."""
    return iter(range(1_000_000, 9_000_000, LOOK_MS))


def test_one_moment_of_full_use_is_not_told(moments: Iterator[int]) -> None:
    """Two in succession are, until it has been eased for a minute."""
    pot, strain = Pot(100), Strain(0)
    for used, told in ((90, False), (80, False), (90, False), (90, True), (76, True)):
        pot.hear(A, said(pot, used=used), 0, grants=True)
        strain.look(pot.figures(0), last := next(moments))
        assert (strain.near_since_ms is not None) is told, used
    pot.hear(A, said(pot, used=74), 0, grants=True)
    while strain.near_since_ms is not None:
        strain.look(pot.figures(0), now := next(moments))
    assert now - last == limits.STRAIN_HOLDS_MS


def test_refusals_are_told_at_once_and_for_a_minute_after_the_last(moments: Iterator[int]) -> None:
    """Since when, however many more follow."""
    pot, strain = Pot(100), Strain(0)
    pot.hear(A, said(pot), 0, grants=True)
    began = last = 0
    for refused in (0, 1, 1, 7):
        pot.hear(A, said(pot, refused=refused), 0, grants=True)
        strain.look(pot.figures(0), last := next(moments))
        began = began or (last if refused else 0)
        assert strain.refusing_since_ms == (began or None)
    while strain.refusing_since_ms is not None:
        strain.look(pot.figures(0), now := next(moments))
    assert now - last == limits.STRAIN_HOLDS_MS
