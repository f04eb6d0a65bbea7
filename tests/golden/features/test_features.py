"""The features that heads are fitted on are the pinned ones (docs/contracts.md 5)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.learn import features
from pointsman_operator.learn.lexicon import LEXICON

FILE = Path(__file__).with_name("cases.json")
GOLDEN: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


def request_of(case: dict[str, Any]) -> features.FeatureInput:
    """A case's input half."""
    return replace(
        features.from_text(case["text"]),
        messages=case["messages"],
        tools=case["tools"],
        json=case["json"],
        images=case["images"],
        prompt_tokens=case["promptTokens"],
    )


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """A case with its expected half as the code says it now."""
    request = request_of(case)
    values = [round(value, 6) for value in features.extract(request)]
    return {**case, "task": features.task_of(features.survey_of(request)), "features": values}


def test_names_and_words_are_the_pinned_ones(pytestconfig: pytest.Config) -> None:
    """Order, names and word lists are a wire format: a change shows up here first."""
    if pytestconfig.getoption("--update"):
        cases = [outcome(case) for case in GOLDEN["cases"]]
        document = {"names": features.NAMES, "lexicon": LEXICON, "cases": cases}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        FILE.write_text(text.replace('{"text":', '\n{"text":') + "\n", encoding="utf-8")
    assert list(features.NAMES) == GOLDEN["names"]
    assert {name: list(words) for name, words in LEXICON.items()} == GOLDEN["lexicon"]
    assert len(features.SURFACE) == 29
    assert len(GOLDEN["cases"]) >= 60


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: ascii(case["text"][:24]))
def test_python_extracts_what_the_golden_cases_say(case: dict[str, Any]) -> None:
    """Every case gives the pinned task and the pinned vector, to 1e-5."""
    now = outcome(case)
    assert now["task"] == case["task"]
    assert now["features"] == pytest.approx(case["features"], abs=1e-5)
