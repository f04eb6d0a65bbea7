"""Intervals of the bench."""

from __future__ import annotations

import random
from array import array

from bench import intervals


def _rounds(shift: int, seed: int) -> list[array[int]]:
    dice = random.Random(seed)
    return [
        array("Q", sorted(int(dice.gauss(100_000, 10_000)) + shift for _ in range(2000)))
        for _ in range(5)
    ]


def test_quantile_is_a_sample_at_its_rank() -> None:
    """The nearest rank, at both ends, too."""
    ordered = array("Q", range(100))
    assert [intervals.quantile(ordered, q) for q in (0, 0.5, 0.99, 1)] == [0, 50, 99, 99]


def test_difference_finds_a_shift_and_covers_it() -> None:
    """A shift of 5 us is found within an interval that is narrower than the noise."""
    found = intervals.quantile_difference(_rounds(5_000, 1), _rounds(0, 2), 0.5)
    assert found.low < 5_000 < found.high
    assert found.high - found.low < 2_000


def test_no_shift_is_not_called_one() -> None:
    """Equal distributions give an interval around zero, at the median and in the tail."""
    for q in (0.5, 0.99):
        found = intervals.quantile_difference(_rounds(0, 3), _rounds(0, 4), q)
        assert found.low < 0 < found.high


def test_draws_agree_with_resampling() -> None:
    """The Beta rank gives the spread that drawing all samples anew gives."""
    (ordered,) = _rounds(0, 5)[:1]
    dice = random.Random(6)
    drawn = [intervals.quantile(sorted(dice.choices(ordered, k=2000)), 0.5) for _ in range(300)]
    mean = sum(drawn) / len(drawn)
    spread = (sum((one - mean) ** 2 for one in drawn) / len(drawn)) ** 0.5
    found = intervals.quantile_mean([ordered], 0.5)
    assert 0.7 < (found.high - found.low) / (2 * 1.96 * spread) < 1.4


def test_ratio_is_taken_round_by_round() -> None:
    """A ratio that is the same in every round has no spread, however the rounds differ."""
    found = intervals.ratio([2.0, 4.0, 20.0], [1.0, 2.0, 10.0])
    assert (found.value, found.low, found.high) == (2, 2, 2)
