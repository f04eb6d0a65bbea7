"""The features that heads are fitted on are the pinned ones (docs/contracts.md 5)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pointsman_operator.learn import features
from pointsman_operator.learn.lexicon import LEXICON

GOLDEN: dict[str, Any] = json.loads(
    Path(__file__).with_name("cases.json").read_text(encoding="utf-8")
)


def test_names_and_words_are_the_pinned_ones() -> None:
    """Order, names and word lists are a wire format: a change shows up here first."""
    assert list(features.NAMES) == GOLDEN["names"]
    assert {name: list(words) for name, words in LEXICON.items()} == GOLDEN["lexicon"]
    assert len(features.SURFACE) == 29
    assert len(GOLDEN["cases"]) >= 60


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["text"][:24])
def test_python_extracts_what_the_golden_cases_say(case: dict[str, Any]) -> None:
    """Every case gives the pinned task and the pinned vector, to 1e-5."""
    request = replace(
        features.from_text(case["text"]),
        messages=case["messages"],
        tools=case["tools"],
        json=case["json"],
        images=case["images"],
        prompt_tokens=case["promptTokens"],
    )
    assert features.task_of(features.survey_of(request)) == case["task"]
    assert features.extract(request) == pytest.approx(case["features"], abs=1e-5)
