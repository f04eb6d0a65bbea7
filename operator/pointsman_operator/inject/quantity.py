"""Kubernetes quantities as integers: millicores and bytes, rounded up."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

from pointsman_operator.inject import limits

_SHAPE = re.compile(r"([+-]?[0-9]*\.?[0-9]*)(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})")
_BINARY: dict[str, int] = {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)
}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LARGEST = Decimal(2**63 - 1)


def milli(text: str | float) -> int:
    """A quantity in thousandths, as CPU is counted; raises ValueError."""
    return _whole(_parse(text) * 1000)


def whole(text: str | float) -> int:
    """A quantity in units, as memory is counted; raises ValueError."""
    return _whole(_parse(text))


def show_milli(value: int) -> str:
    """Thousandths as Kubernetes writes them."""
    return str(value // 1000) if value % 1000 == 0 else f"{value}m"


def show_bytes(value: int) -> str:
    """Bytes as Kubernetes writes them."""
    for unit, size in reversed(_BINARY.items()):
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def _parse(text: str | float) -> Decimal:
    written = str(text)
    found = _SHAPE.fullmatch(written)
    if len(written) > limits.QUANTITY_CHARACTERS_MAX or found is None:
        raise ValueError(f"{written[: limits.QUANTITY_CHARACTERS_MAX]!r} is not a quantity")
    number, suffix = found.groups()
    if not any(character.isdigit() for character in number):
        raise ValueError(f"{written!r} is not a quantity")
    if suffix in _BINARY:
        return Decimal(number) * _BINARY[suffix]
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return Decimal(f"{number}e{exponent}")


def _whole(value: Decimal) -> int:
    # Kubernetes caps at the largest signed 64-bit integer, too.
    return int(min(value, _LARGEST).to_integral_value(ROUND_CEILING))
