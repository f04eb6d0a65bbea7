"""Every rule beyond types: one document that keeps it, one that breaks it, judged by model and CEL.

The table (support/refused.py) is complete: a rule without a row fails `test_every_rule_has_a_row`.
"""

from __future__ import annotations

from typing import Any

import pytest

from pointsman_operator.api import KINDS, parse_document
from pointsman_operator.generate.schema import structural
from support import resources as make
from support.crds import broken_rules, rules_of
from support.refused import ROWS

LIMIT = {"name": "day", "amount": "5", "window": {"calendar": "Day"}}


@pytest.mark.parametrize(("message", "document"), ROWS, ids=lambda value: str(value)[:60])
def test_both_judges_refuse_it(message: str, document: dict[str, Any]) -> None:
    """Model and CEL refuse the same document, and both say why in the same words."""
    found = parse_document(document)
    assert found is not None
    assert any(message in problem.message for problem in found.problems), found.problems
    assert any(message in broken for broken in broken_rules(document))


@pytest.mark.parametrize("document", [make.pool(), make.policy(make.rule()), make.budget()])
def test_both_judges_accept_the_plain_ones(document: dict[str, Any]) -> None:
    """The rules refuse nothing that is right."""
    assert make.parsed(document).kind == document["kind"]
    assert broken_rules(document) == []


def test_every_rule_has_a_row() -> None:
    """A new rule needs an example that breaks it."""
    stated = {rule["message"] for kind in KINDS for rule in rules_of(structural(kind.spec))}
    covered = {rule for rule in stated if any(message in rule for message, _ in ROWS)}
    assert covered == stated


def test_a_time_zone_must_exist() -> None:
    """Schemas cannot know zones, so the model does, with an example of a right one."""
    window = {"calendar": "Day", "timeZone": "Europe/Berln"}
    found = parse_document(make.budget(limits=[{**LIMIT, "window": window}]))
    assert found is not None
    (problem,) = found.problems
    assert problem.path == "spec.limits[0].window.timeZone"
    assert "Europe/Berlin" in problem.message


@pytest.mark.parametrize(
    ("provider", "remedy"),
    [
        ({"type": "Azure"}, "did you mean AzureOpenAI? Use "),
        ({"type": "AzureOpenAI"}, "set resource: NAME, as in https://NAME.openai.azure.com"),
        ({"type": "Vertex"}, "set region, such as europe-west4"),
        ({"type": "Bedrock"}, "set region, such as eu-central-1"),
        ({"type": "Gemini", "model": "models/gemini-2.5-flash"}, "write gemini-2.5-flash, not "),
        ({"type": "OpenAICompatible"}, "set baseURL: https://HOST/v1, or profile: "),
        ({"type": "OpenAICompatible", "profile": "Mystral"}, "did you mean Mistral? Use "),
    ],
)
def test_a_provider_that_is_half_written_is_told_the_rest(
    provider: dict[str, Any], remedy: str
) -> None:
    """`validate` says what to write, not that something is wrong a second time."""
    found = parse_document(make.pool(make.hosted(provider={"model": "m", **provider})))
    assert found is not None
    (problem,) = found.problems
    assert problem.remedy.startswith(remedy)
