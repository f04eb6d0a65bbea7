"""A lease's numbers and its pot: every transition by itself, and the balance they keep."""

from __future__ import annotations

import pytest

from pointsman_operator.ledger.arithmetic import LeaseNumbers, LeaseState, Part, Pot


def report(numbers: LeaseNumbers, **changed: int | bool) -> LeaseNumbers:
    """A report that leaves out what stays as it is."""
    given = {"returned": 0, "spent": 0, "unconfirmed": 0, "closed": False} | changed
    return numbers.reported(**given)  # type: ignore[arg-type]


def test_a_grant_is_leased_until_it_is_spent_or_returned() -> None:
    """Granted money is leased; what is spent, unconfirmed or returned leaves that state."""
    numbers = LeaseNumbers().grown(100)
    assert numbers.part == Part(0, 0, 100, 1)
    assert report(numbers, spent=30, unconfirmed=10, returned=20).part == Part(30, 10, 40, 1)


def test_an_older_report_changes_nothing() -> None:
    """The larger number stands, so a replay or an overtaken report is a no-op."""
    numbers = report(LeaseNumbers(granted=100), spent=50, returned=10)
    assert report(numbers, spent=40, returned=5) == numbers


def test_closing_sticks_and_frees_the_rest() -> None:
    """A closed lease holds nothing back, and no later report opens it again."""
    closed = report(LeaseNumbers(granted=100), spent=50, closed=True)
    assert closed.part == Part(50, 0, 0, 0)
    assert report(closed, spent=60).part == Part(60, 0, 0, 0)


def test_a_silent_lease_counts_as_spent_until_its_holder_reports() -> None:
    """The unreported rest becomes unconfirmed; a late report moves it back."""
    lost = report(LeaseNumbers(granted=100), spent=20).lost()
    assert lost.part == Part(20, 80, 0, 0)
    assert report(lost, spent=50).part == Part(50, 50, 0, 0)
    assert report(lost, spent=50, closed=True).part == Part(50, 0, 0, 0)


def test_only_an_open_lease_is_lost_or_grown() -> None:
    """What is closed stays closed, and nothing is granted on a lease without a holder."""
    closed = report(LeaseNumbers(granted=10), closed=True)
    assert closed.lost() == closed
    with pytest.raises(ValueError, match="cannot grant 1 on a lease that is closed"):
        closed.grown(1)
    with pytest.raises(ValueError, match="cannot grant -1"):
        LeaseNumbers().grown(-1)


def test_a_released_lease_forgives_what_was_unconfirmed_but_not_what_comes_later() -> None:
    """Release frees the unreported rest; what the holder reports afterwards still counts."""
    released = report(LeaseNumbers(granted=100), spent=20, unconfirmed=30).lost().released()
    assert released.part == Part(20, 0, 0, 0)
    late = report(released, spent=90, unconfirmed=35, closed=True)
    assert late.part == Part(90, 5, 0, 0)
    assert late.state is LeaseState.RELEASED


def test_an_open_lease_cannot_be_released() -> None:
    """Its holder may still spend it."""
    with pytest.raises(ValueError, match="still has its holder"):
        LeaseNumbers(granted=1).released()


def test_a_stream_above_its_lease_takes_from_what_is_available_first() -> None:
    """Overspending one lease leaves less for the others before it becomes overrun."""
    before, after = LeaseNumbers(granted=60), report(LeaseNumbers(granted=60), spent=70)
    pot = Pot(100).moved(Part(), before.part)
    assert (pot.available, pot.overrun) == (40, 0)
    pot = pot.moved(before.part, after.part)
    assert (pot.available, pot.overrun) == (30, 0)
    pot = pot.moved(after.part, report(after, spent=130).part)
    assert (pot.available, pot.overrun) == (0, 30)


def test_thresholds_look_at_what_counts_as_spent() -> None:
    """Leased money that may come back crosses no threshold; a limit of zero crosses all."""
    assert not Pot(100, settled=70, leased=30).crossed(80)
    assert Pot(100, settled=70, unconfirmed=10).crossed(80)
    assert Pot(0).crossed(100)


def test_after_a_restore_the_larger_grant_stands_and_the_lease_is_open_again() -> None:
    """A lost lease, or one that the ledger never granted, of which a plausible rest is left."""
    lost = report(LeaseNumbers(granted=100), spent=20).lost()
    assert lost.readmitted(300, at_most=280).part == Part(20, 0, 280, 1)
    assert lost.readmitted(50, at_most=280).granted == 100
    unknown = report(LeaseNumbers(state=LeaseState.LOST), spent=60, returned=10)
    assert unknown.readmitted(100, at_most=30).part == Part(60, 0, 30, 1)
    assert report(unknown, spent=90).readmitted(100, at_most=0).part == Part(90, 0, 0, 1)


def test_no_other_lease_is_open_again() -> None:
    """More than the limit holds, closed, released, or open as it is."""
    lost = report(LeaseNumbers(granted=100), spent=20).lost()
    assert lost.readmitted(300, at_most=279) == lost
    closed = report(LeaseNumbers(granted=100), spent=20, closed=True)
    for other in (closed, lost.released(), LeaseNumbers(granted=100)):
        assert other.readmitted(300, at_most=1000) == other
