"""The shipped heads are whole, named by their content, and better than chance."""

from __future__ import annotations

import hashlib
import json

import pytest

from pointsman_operator.demo_data import questions
from pointsman_operator.learn import columns, features, heads, shipped

DEMO = shipped.demo_offers()


def test_heads_have_the_wire_format() -> None:
    """36 integer weights in micro, a digest over them, percents and lengths within bounds."""
    assert len(shipped.models()) == len(columns.COLUMNS) + len(columns.ALIASES)
    for entry in shipped.models().values():
        head = entry["head"]
        body = {"bias": head["bias"], "weights": head["weights"]}
        text = json.dumps(body, separators=(",", ":"))
        assert len(head["weights"]) == len(features.NAMES)
        assert all(type(weight) is int for weight in [head["bias"], *head["weights"]])
        assert head["digest"] == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        percents = [entry["quality"]["prior"], *entry["quality"]["byTask"].values()]
        assert all(0 <= percent <= 100 for percent in percents)
        assert set(entry["quality"]["byTask"]) <= set(features.TASKS)
        assert entry["outputTokens"]["default"] > 0


def test_other_names_lead_to_the_same_head() -> None:
    """A model under a provider's other id is the same model, found by its head's digest, too."""
    alias = shipped.artefact("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo")
    plain = shipped.artefact("meta-llama/Meta-Llama-3.1-70B-Instruct")
    assert alias is not None
    assert alias == plain
    assert shipped.model_of_head(alias.head["digest"]) == alias.model
    assert shipped.model_of_head("sha256:00") is None
    assert shipped.artefact("no-such-model") is None


@pytest.mark.parametrize("model", [model["upstream"] for model in DEMO])
def test_heads_tell_good_from_bad_on_unseen_questions(model: str) -> None:
    """On the demo's questions a right answer gets the higher P in at least 65 of 100 pairs."""
    artefact = shipped.artefact(model)
    assert artefact is not None
    scored = [
        (heads.probability(artefact.head, features.extract(features.from_text(row.prompt))), row)
        for row in questions.load()
    ]
    right = [p for p, row in scored if row.answers[model].correct]
    wrong = [p for p, row in scored if not row.answers[model].correct]
    wins = sum((good > bad) + (good == bad) / 2 for good in right for bad in wrong)
    assert wins / (len(right) * len(wrong)) > 0.65


def test_rows_know_every_model() -> None:
    """Each shipped model has a probability for each shipped row."""
    rows = shipped.rows()
    assert set(rows.probabilities) == set(columns.COLUMNS)
    lengths = {len(values) for values in rows.probabilities.values()}
    assert lengths == {len(rows.tasks)} == {len(rows.prompt_tokens)}


def test_a_head_of_another_length_is_refused() -> None:
    """A head is never applied to features of another generation."""
    with pytest.raises(ValueError, match="argument 2"):
        heads.probability({"bias": 0, "weights": [1, 2]}, [0.0] * 36)


def test_sigmoid_saturates_without_overflow() -> None:
    """Extreme logits stay within 0 and 1."""
    assert heads.sigmoid(-1e6) == 0.0
    assert heads.sigmoid(1e6) == 1.0
    assert heads.sigmoid(0.0) == 0.5
