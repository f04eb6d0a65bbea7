"""How a limit is divided."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.hub.quota.division import Wish, divided

WISHES = st.dictionaries(
    st.integers(0, 30),
    st.tuples(st.integers(0, 500), st.integers(0, 60), st.none() | st.integers(0, 9)).map(
        lambda it: Wish(max(it[0], it[1]), it[1], it[2])
    ),
    max_size=12,
)


@given(st.integers(1, 1_000), WISHES)
def test_parts_never_exceed_the_whole(total: int, wishes: dict[int, Wish]) -> None:
    """Whatever is wished."""
    division = divided(total, wishes)
    assert sum(division.meant(key, wish.want) for key, wish in wishes.items()) <= total


@given(st.integers(1, 1_000), WISHES)
def test_nothing_lies_idle_while_somebody_wants_it(total: int, wishes: dict[int, Wish]) -> None:
    """But for what cannot be divided evenly."""
    wishes = {key: Wish(wish.want, 0) for key, wish in wishes.items()}
    division = divided(total, wishes)
    parts = sum(min(division.meant(key, wish.want), wish.want) for key, wish in wishes.items())
    wanted = sum(wish.want for wish in wishes.values())
    assert parts > min(total, wanted) - max(1, len(wishes))


def test_who_wants_little_gets_it_and_the_others_the_same() -> None:
    """Max-min fair."""
    division = divided(100, {"a": Wish(10, 1), "b": Wish(80, 1), "c": Wish(200, 1)})
    parts = {key: division.meant(key, want) for key, want in (("a", 10), ("b", 80), ("c", 200))}
    assert parts == {"a": 10, "b": 45, "c": 45}


def test_half_of_what_nobody_wants_lasts_through_an_outage() -> None:
    """The rest is for who comes."""
    division = divided(100, {"a": Wish(10, 1), "b": Wish(10, 1)})
    assert division.meant("a", 10) == 10 + 80 // 2 // 2


def test_a_small_limit_goes_to_who_waits_longest() -> None:
    """Three calls a minute, five callers."""
    wishes = {key: Wish(5, 1, since) for key, since in zip("abcde", (5, 1, 4, 2, 3), strict=True)}
    division = divided(3, wishes)
    assert {key for key in wishes if division.meant(key, 5)} == {"b", "d", "e"}


def test_a_large_call_has_its_turn() -> None:
    """Its part is taken from all others alike."""
    wishes = {"a": Wish(100, 60, 7), "b": Wish(100, 10), "c": Wish(100, 10)}
    division = divided(100, wishes)
    assert {key: division.meant(key, 100) for key in wishes} == {"a": 60, "b": 20, "c": 20}
