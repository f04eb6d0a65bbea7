"""Rewrite the expected half of `cases.json` from Python's features; the diff is for a person.

    python tests/golden/features/rewrite.py
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pointsman_operator.learn import features
from pointsman_operator.learn.lexicon import LEXICON

CASES = Path(__file__).with_name("cases.json")


def features_input(case: dict[str, Any]) -> features.FeatureInput:
    """A case's input half."""
    return replace(
        features.from_text(case["text"]),
        messages=case["messages"],
        tools=case["tools"],
        json=case["json"],
        images=case["images"],
        prompt_tokens=case["promptTokens"],
    )


def document(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole file for these inputs."""
    rows = []
    for case in cases:
        request = features_input(case)
        task = features.task_of(features.survey_of(request))
        values = [round(value, 6) for value in features.extract(request)]
        rows.append({**case, "task": task, "features": values})
    return {"names": features.NAMES, "lexicon": LEXICON, "cases": rows}


def main() -> None:
    """Rewrite in place."""
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    text = json.dumps(document(cases), ensure_ascii=False, indent=None, separators=(",", ":"))
    CASES.write_text(text.replace('{"text":', '\n{"text":') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
