"""Money: decimal strings in, integers of picodollars inside."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.api import bounds, money


@pytest.mark.parametrize(
    ("usd", "picodollars"),
    [("0", 0), ("1", 10**12), ("0.000000000001", 1), ("9000000", 9 * 10**18), ("0.1", 10**11)],
)
def test_dollars_become_exact_picodollars(usd: str, picodollars: int) -> None:
    """No float is in between: a tenth of a dollar is exactly that."""
    assert money.picodollars(usd) == picodollars


def test_more_decimals_than_a_picodollar_has_are_refused() -> None:
    """Rounding money silently is no option."""
    with pytest.raises(ValueError, match="12 decimals"):
        money.picodollars("0.0000000000001")
    with pytest.raises(ValueError, match="6 decimals"):
        money.picodollars_per_token("0.0000001")


def test_a_price_per_million_tokens_is_whole_picodollars_a_token() -> None:
    """0.15 USD per million tokens are 150,000 picodollars a token."""
    assert money.picodollars_per_token("0.15") == 150_000
    assert money.picodollars_per_token("15") == 15_000_000


def test_the_largest_limit_leaves_room_for_the_overrun() -> None:
    """9,000,000 USD fit into a signed 64-bit integer."""
    assert money.picodollars(str(bounds.LIMIT_USD)) < 2**63


def test_a_gpu_hour_becomes_a_price_a_token_rounded_up() -> None:
    """The example of the docstring, and never below the true cost."""
    assert money.gpu_hour_price("2.50", 4, 5_000) == 555_556


@given(
    st.decimals(min_value="0.000001", max_value=10_000, places=6),
    st.integers(1, 1024),
    st.integers(1, 10**8),
)
def test_self_hosted_tokens_never_cost_less_than_their_hour(
    hour: Decimal, gpus: int, rate: int
) -> None:
    """An hour's tokens at the price a token pay for the hour, and overpay by less than one each."""
    price = money.gpu_hour_price(f"{hour:f}", gpus, rate)
    tokens = 3600 * rate
    cost = money.picodollars(f"{hour:f}") * gpus
    assert cost <= price * tokens < cost + tokens


@given(st.integers(-(9 * 10**18), 9 * 10**18))
def test_formatting_loses_nothing(amount: int) -> None:
    """What is printed reads back as the same amount."""
    text = money.format_usd(amount)
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    assert sign * money.picodollars(digits) == amount
