"""The published epsilon: how far above its bill a cut call may be booked at most.

Computed from the rule of docs/contracts.md section 4 ("A cut call"), the pool's prices, and what
the caller itself sent and received. Nothing here comes from a record, a ledger or the engine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pointsman_operator.cli.demo.calls import Call
from pointsman_operator.compile.table import TableModel

TOKEN_BYTES = 128
"""No token in use is longer."""
ESCAPED = 6
"""Bytes that one byte of text takes on the wire at most, as a JSON escape."""
CUT_TOKENS = 16
"""What the provider may have billed beyond what arrived, where its chunks were smaller."""


@dataclass(frozen=True)
class Terms:
    """What a model's call can cost: picodollars a token, and how many tokens there can be."""

    input: int
    cached_input: int
    output: int
    context_window: int
    max_output_tokens: int


def terms(model: TableModel) -> Terms:
    """The terms of a pool's model."""
    prices = model.pricing
    cached = prices.input if prices.cached_input is None else prices.cached_input
    return Terms(prices.input, cached, prices.output, model.context_window, model.max_output_tokens)


def epsilon(call: Call, agreed: Terms) -> int:
    """Picodollars between the most that this cut call may be booked at and the least it cost."""
    return most(call, agreed) - least(call, agreed)


def most(call: Call, agreed: Terms) -> int:
    """Every byte a token: of the request's body, of the text that came, of one more chunk."""
    largest = max(map(wire_bytes, call.pieces), default=0)
    output = sum(map(wire_bytes, call.pieces)) + max(largest, CUT_TOKENS)
    prompt = min(call.sent_bytes, agreed.context_window)
    return prompt * agreed.input + min(output, agreed.max_output_tokens) * agreed.output


def least(call: Call, agreed: Terms) -> int:
    """One cached token of prompt, and the text that came in the longest tokens there are."""
    fewest = -(-sum(map(wire_bytes, call.pieces)) // (ESCAPED * TOKEN_BYTES))
    return min(agreed.input, agreed.cached_input) + fewest * agreed.output


def wire_bytes(text: str) -> int:
    """The bytes of a text inside the quotes of a JSON string."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
