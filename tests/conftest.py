"""Settings that every kind of test shares."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Timing never decides a property: the machine is shared with whatever else runs.
settings.register_profile("fast", max_examples=50, deadline=None, derandomize=True)
settings.register_profile(
    "slow", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` rewrites golden cases from what the code says now; the diff is then reviewed."""
    parser.addoption("--update", action="store_true", help="rewrite golden cases")
