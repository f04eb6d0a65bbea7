"""The memory's slope: what `make scale` says of a controller that is watched for hours."""

from __future__ import annotations

import math
import random

import pytest

from scale.controller_edits import slope

EDIT_S = 0.3
Samples = list[tuple[float, float]]


def _watched(minutes: float, grows_mib_h: float, noise_mib: float = 0.0) -> Samples:
    """A process of 150 MiB that grows for ever, after a steep first tenth."""
    made = random.Random(1)
    samples = []
    for number in range(int(minutes * 60 / EDIT_S)):
        at = number * EDIT_S
        warming = 40 * (1 - math.exp(-at / (minutes * 60 / 40)))
        held = 150 + warming + grows_mib_h * at / 3600 + made.gauss(0, noise_mib)
        samples.append((at, held))
    return samples


@pytest.mark.parametrize("grows_mib_h", [0.0, 0.7, 5.0, -2.0])
def test_the_slope_is_that_of_the_time_after_the_first_quarter(grows_mib_h: float) -> None:
    """What a start takes is no growth; what comes afterwards is, in MiB an hour."""
    fitted = slope(_watched(120, grows_mib_h))
    assert fitted is not None
    assert fitted[0] == pytest.approx(grows_mib_h, abs=0.05)


def test_noise_widens_the_interval_and_is_not_taken_for_growth() -> None:
    """Of twenty runs that do not grow, hardly any is called a leak; one that does is."""
    fitted = slope(_watched(60, 0.0, noise_mib=8.0))
    assert fitted is not None
    growth, within = fitted
    assert 0 < within < 5
    assert growth - within < 1
    leaking = slope(_watched(60, 20.0, noise_mib=8.0))
    assert leaking is not None
    assert leaking[0] - leaking[1] > 1


def test_too_few_minutes_say_nothing() -> None:
    """Less than three whole minutes after the first quarter are no line."""
    assert slope(_watched(2, 5.0)) is None
