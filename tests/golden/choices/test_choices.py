"""The engine chooses what learning evaluated: same P, same expected cost, same order.

`cases.json` holds the demo's candidates as table models, a solved lambda and real prompts;
`sidecar/engine/core/tests/select_golden.rs` reads the same file.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pointsman_operator.demo_data import questions
from pointsman_operator.learn import features, heads, lambda0, shipped
from pointsman_operator.learn.lambda0 import PICO_PER_DOLLAR, CandidateModel

FILE = Path(__file__).with_name("cases.json")
CLEAR = 20
"""Micro by which neighbours must differ: the engine's single precision may not decide a case."""


def table_model(offer: dict[str, Any]) -> dict[str, Any]:
    """One candidate as it stands in a RouteTable (docs/contracts.md 1)."""
    learnt = shipped.models()[offer["upstream"]]
    return {
        "name": f"main/{offer['name']}",
        "pool": {"namespace": "demo", "name": "main"},
        "tier": offer["tier"],
        "provider": {
            "type": offer["type"],
            "label": offer["label"],
            "model": offer["upstream"],
            "baseURL": offer["baseURL"],
        },
        "pricing": {"input": offer["input"], "output": offer["output"]},
        "capabilities": offer["capabilities"],
        "contextWindow": offer["contextWindow"],
        "maxOutputTokens": offer["maxOutputTokens"],
        **{name: learnt[name] for name in ("quality", "outputTokens", "head")},
    }


def candidate(model: dict[str, Any]) -> CandidateModel:
    """A table model as lambda0 sees it."""
    return CandidateModel(
        artefact=shipped.model_of_head(model["head"]["digest"]),
        input_price=model["pricing"]["input"],
        output_price=model["pricing"]["output"],
        output_tokens=model["outputTokens"]["default"],
        output_tokens_by_task=model["outputTokens"]["byTask"],
        max_output_tokens=model["maxOutputTokens"],
    )


def outcome(document: dict[str, Any], prompt: str) -> dict[str, Any]:
    """Probabilities, costs and order of the candidates for one prompt."""
    request = features.from_text(prompt)
    values = features.extract(request)
    task = features.task_of(features.survey_of(request))
    chances = [
        round(heads.probability(model["head"], values) * shipped.MICRO)
        for model in document["models"]
    ]
    costs = [
        lambda0.expected_cost(candidate(model), task, request.prompt_tokens)
        for model in document["models"]
    ]
    scores = [
        chance - document["lambda"] * cost // PICO_PER_DOLLAR
        for chance, cost in zip(chances, costs, strict=True)
    ]
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], costs[index], index))
    ranked = sorted(scores, reverse=True)
    gap = min(high - low for high, low in pairwise(ranked))
    found = {"prompt": prompt, "probabilities": chances, "costs": costs, "order": order}
    return found if gap >= CLEAR else {}


def rewritten() -> dict[str, Any]:
    """The file from today's artefacts."""
    models = [table_model(offer) for offer in shipped.demo_offers()]
    document: dict[str, Any] = {"models": models}
    document["lambda"] = lambda0.solve([candidate(model) for model in models], 95)
    prompts = [question.prompt for question in questions.load()[::6]]
    prompts += ["hi, how are you?", "", "Translate 'good morning' into French", "naïve " * 300]
    cases = [outcome(document, prompt) for prompt in prompts]
    return {**document, "cases": [case for case in cases if case]}


def test_choices_are_the_pinned_ones(pytestconfig: pytest.Config) -> None:
    """Each pinned prompt gives the pinned probabilities, costs and order."""
    if pytestconfig.getoption("--update"):
        text = json.dumps(rewritten(), ensure_ascii=False, separators=(",", ":"))
        FILE.write_text(text.replace('{"prompt"', '\n{"prompt"') + "\n", encoding="utf-8")
    document = json.loads(FILE.read_text(encoding="utf-8"))
    assert len(document["cases"]) >= 40
    assert len({case["order"][0] for case in document["cases"]}) >= 3
    for case in document["cases"]:
        assert outcome(document, case["prompt"]) == case
