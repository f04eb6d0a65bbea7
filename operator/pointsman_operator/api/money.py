"""Money as it is written and as it is counted: decimal strings and integers, no float.

A picodollar is 10^-12 USD. One dollar per million tokens is 1,000,000 picodollars a token.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from pointsman_operator.api import bounds
from pointsman_operator.api.rules import Rule

PICODOLLARS_PER_USD = 10**12
"""Picodollars in one dollar."""
TOKENS_PER_MTOK = 10**6
"""Prices are written per this many tokens."""
SECONDS_PER_HOUR = 3600
SECONDS_PER_MINUTE = 60

USD_PATTERN = r"^[0-9]{1,7}(\.[0-9]{1,12})?$"
PRICE_PATTERN = r"^[0-9]{1,7}(\.[0-9]{1,6})?$"


def picodollars(usd: str) -> int:
    """Picodollars of a decimal string of dollars, exactly.

    Raises ValueError on more than 12 decimals.
    """
    scaled = Decimal(usd) * PICODOLLARS_PER_USD
    whole = int(scaled)
    if whole != scaled:
        message = f"{usd} has more than 12 decimals"
        raise ValueError(message)
    return whole


def picodollars_per_token(usd_per_mtok: str) -> int:
    """Picodollars a token of a decimal string of dollars per million tokens, exactly.

    Raises ValueError on more than 6 decimals: a token then costs no whole number of picodollars.
    """
    per_mtok = picodollars(usd_per_mtok)
    if per_mtok % TOKENS_PER_MTOK:
        message = f"{usd_per_mtok} has more than 6 decimals"
        raise ValueError(message)
    return per_mtok // TOKENS_PER_MTOK


def picodollars_per_second(usd_per_minute: str) -> int:
    """Picodollars a second of a decimal string of dollars a minute, rounded up."""
    return -(-picodollars(usd_per_minute) // SECONDS_PER_MINUTE)


def gpu_hour_price(gpu_hour_usd: str, gpus: int, tokens_per_second: int) -> int:
    """Picodollars a token of a self-hosted model, rounded up.

    `gpu_hour_usd * gpus` is what an hour costs, `3600 * tokens_per_second` what an hour yields in
    tokens, prompt and answer together. 2.50 USD x 4 GPUs at 5,000 tokens/s: 10 / 18,000,000 USD =
    555,556 picodollars.
    """
    hour = picodollars(gpu_hour_usd) * gpus
    tokens = SECONDS_PER_HOUR * tokens_per_second
    return -(-hour // tokens)


def format_usd(amount_picodollars: int) -> str:
    """Dollars as a decimal string without trailing zeros, exactly: 1500000000000 -> `1.5`."""
    whole, rest = divmod(abs(amount_picodollars), PICODOLLARS_PER_USD)
    sign = "-" if amount_picodollars < 0 else ""
    decimals = f"{rest:012d}".rstrip("0")
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def _between(least: str, most: int) -> Rule:
    positive = least == ">"

    def holds(usd: str) -> bool:
        amount = Decimal(usd)
        return amount <= most and not (positive and amount == 0)

    return Rule(
        cel=f"double(self) {least} 0.0 && double(self) <= {most}.0",
        message=f"must be {least} 0 and at most {most} USD",
        holds=holds,
    )


LimitUsd = Annotated[
    str, Field(pattern=USD_PATTERN, max_length=bounds.LIMIT_LENGTH), _between(">", bounds.LIMIT_USD)
]
"""Dollars of a limit: a decimal string."""
PriceUsd = Annotated[
    str,
    Field(pattern=PRICE_PATTERN, max_length=bounds.PRICE_LENGTH),
    _between(">=", bounds.PRICE_USD_PER_MTOK),
]
"""Dollars per million tokens: a decimal string with at most 6 decimals."""
GpuHourUsd = Annotated[
    str,
    Field(pattern=PRICE_PATTERN, max_length=bounds.PRICE_LENGTH),
    _between(">", bounds.GPU_HOUR_USD),
]
"""Dollars an accelerator's hour: a decimal string."""
