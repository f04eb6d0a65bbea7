"""A Budget's end as the official SDK shows it, with a real hub that keeps the money."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.hub_process import hub_process
from support.processes import Sidecar, Simulator, canonical, ended
from support.scenes import LONG_TEXT
from support.tables import PRICES, budget, model, table
from support.worlds import SIDECAR_PYTHON

LIMIT = 60_000_000
"""Picodollars: at the table's prices, about a hundred tokens of an answer."""
QUESTION: Any = [{"role": "user", "content": "What is six times seven?"}]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """The provider, and the judge of what was spent."""
    script = [{"match": {"model": "long-2026"}, "do": {"text": LONG_TEXT, "tokensPerSecond": 500}}]
    prices = {f"{name}-2026": PRICES for name in ("short", "long")}
    rules = [*script, {"do": {"text": "Forty-two."}}]
    found = Simulator(tmp_path, behaviour=rules, prices=prices)
    with ended(found):
        yield found


@pytest.fixture
def client(tmp_path: Path, simulator: Simulator) -> Iterator[OpenAI]:
    """A client of a sidecar whose hub grants little, with the SDK's own retries."""
    models = [model(name, simulator.url) for name in ("short", "long")]
    document = table(models, budgets=[budget(LIMIT)])
    (tmp_path / "hub").mkdir()
    with hub_process(tmp_path / "hub", python=SIDECAR_PYTHON) as hub:
        hub.put_table(canonical(document), "test")
        sidecar = Sidecar(
            tmp_path,
            python=SIDECAR_PYTHON,
            POINTSMAN_HUB_URL=hub.url,
            POINTSMAN_HUB_TOKEN_FILE=str(tmp_path / "hub" / "token"),
        )
        with ended(sidecar), OpenAI(base_url=f"{sidecar.url}/v1", api_key="none") as made:
            yield made


def test_a_used_up_budget_raises_rate_limit_error(client: OpenAI, simulator: Simulator) -> None:
    """The exception names the Budget and when it resets, and the SDK does not try again."""
    with pytest.raises(openai.RateLimitError) as raised:
        ask_until_refused(client)
    error = raised.value
    assert (error.type, error.code) == ("insufficient_quota", "insufficient_quota")
    assert "demo/team" in error.message
    assert re.search(r"resets at \d{4}-\d\d-\d\dT00:00:00", error.message)
    assert error.response.headers["x-should-retry"] == "false"
    assert 0 < billed(simulator) <= LIMIT


def test_a_stream_beyond_the_budget_raises(client: OpenAI) -> None:
    """Where the Budget ends in mid-answer, the stream raises its error and never just stops."""
    taken: list[str] = []

    def read() -> None:
        stream = client.chat.completions.create(model="long", messages=QUESTION, stream=True)
        for chunk in stream:
            taken.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - kept when it raises

    with pytest.raises(openai.APIError, match="Budget demo/team is used up") as raised:
        read()
    assert raised.value.code == "insufficient_quota"
    text = "".join(taken)
    assert text
    assert LONG_TEXT.startswith(text)
    assert len(text) // 4 * PRICES["output"] < LIMIT


def ask_until_refused(client: OpenAI) -> None:
    """Short calls, one after another; the limit pays for fewer than this."""
    for _ in range(100):
        client.chat.completions.create(model="short", messages=QUESTION, max_tokens=20)


def billed(simulator: Simulator) -> int:
    """What the provider charged for all calls together."""
    return sum(int(line["cost"]) for line in simulator.bill().values())
