"""A Budget's end as the official SDK shows it, with a real hub that keeps the money."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.eventually import eventually
from support.hub_process import HubProcess, hub_process
from support.processes import Sidecar, Simulator, canonical, ended
from support.scenes import LONG_TEXT
from support.tables import PRICES, budget, model, table
from support.worlds import SIDECAR_PYTHON

LIMIT = 60_000_000
"""Picodollars: at the table's prices, about a hundred tokens of an answer."""
AMPLE = 10**12
ANSWER = LONG_TEXT * 75
"""More tokens than a stream reserves at its start."""
QUESTION: Any = [{"role": "user", "content": "What is six times seven?"}]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """The provider, and the judge of what was spent."""
    script = [{"match": {"model": "long-2026"}, "do": {"text": ANSWER, "tokensPerSecond": 2000}}]
    prices = {f"{name}-2026": PRICES for name in ("short", "long")}
    rules = [*script, {"do": {"text": "Forty-two."}}]
    found = Simulator(tmp_path, behaviour=rules, prices=prices)
    with ended(found):
        yield found


@dataclass
class Service:
    """A sidecar whose hub keeps one Budget, and a client of it with the SDK's own retries."""

    hub: HubProcess
    sidecar: Sidecar
    client: OpenAI
    models: list[dict[str, Any]]

    def limit(self, amount: int) -> None:
        """Set the Budget's limit and wait until the sidecar has it."""
        digest = self.hub.put_table(canonical(table(self.models, budgets=[budget(amount)])), "test")
        eventually(lambda: self.sidecar.state()["digest"] == digest)


@pytest.fixture
def service(tmp_path: Path, simulator: Simulator) -> Iterator[Service]:
    """A hub that grants little, until the test says otherwise."""
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
            yield Service(hub, sidecar, made, models)


@pytest.fixture
def client(service: Service) -> OpenAI:
    """The service's client."""
    return service.client


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


def test_a_stream_near_the_end_is_capped_to_what_is_left(
    client: OpenAI, simulator: Simulator
) -> None:
    """It ends properly, as at any other token limit, and the header says where the limit was."""
    raw = client.chat.completions.with_raw_response.create(
        model="long", messages=QUESTION, stream=True
    )
    reasons = [chunk.choices[0].finish_reason for chunk in raw.parse()]
    assert reasons[-1] == "length"
    assert 0 < int(raw.headers["x-pointsman-capped"]) < len(ANSWER) // 4
    assert 0 < billed(simulator) <= LIMIT


def test_a_stream_whose_budget_is_lowered_under_it_raises(service: Service) -> None:
    """Where the Budget ends in mid-answer, the stream raises its error and never just stops."""
    service.limit(AMPLE)
    stream = service.client.chat.completions.create(model="long", messages=QUESTION, stream=True)
    taken = [next(stream).choices[0].delta.content or ""]
    service.limit(1)

    def read() -> None:
        for chunk in stream:
            taken.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - kept when it raises

    with pytest.raises(openai.APIError, match="Budget demo/team") as raised:
        read()
    assert raised.value.code == "insufficient_quota"
    text = "".join(taken)
    assert ANSWER.startswith(text)
    assert len(text) < len(ANSWER)


def ask_until_refused(client: OpenAI) -> None:
    """Short calls, one after another; the limit pays for fewer than this."""
    for _ in range(100):
        client.chat.completions.create(model="short", messages=QUESTION, max_tokens=20)


def billed(simulator: Simulator) -> int:
    """What the provider charged for all calls together."""
    return sum(int(line["cost"]) for line in simulator.bill().values())
