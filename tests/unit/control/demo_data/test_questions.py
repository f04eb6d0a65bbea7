"""The demo's record is whole, and the simulator replays exactly what was recorded."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

from pointsman_operator.catalog import catalogue
from pointsman_operator.demo_data import questions
from pointsman_operator.demo_data.questions import Price
from pointsman_operator.learn import shipped

OFFERS = shipped.demo_offers()


def test_every_model_answered_every_question() -> None:
    """290 questions of three tasks, eight models of four providers, an outcome for each pair."""
    rows = questions.load()
    names = {offer["upstream"] for offer in OFFERS}
    assert Counter(row.task for row in rows).keys() == {"gsm", "crux", "math-l5"}
    assert len(rows) == len({row.prompt for row in rows}) == 290
    assert all(set(row.answers) == names for row in rows)
    answers = [answer for row in rows for answer in row.answers.values()]
    # Twice a provider answered nothing at all; that is recorded, too, as wrong.
    assert [answer.correct for answer in answers if answer.chars == 0] == [False, False]
    assert not any(answer.correct for answer in answers if not answer.text)
    assert (len(names), len({offer["label"] for offer in OFFERS})) == (8, 4)


def test_replay_file_is_keyed_by_the_prompt_as_sent(tmp_path: Path) -> None:
    """docs/contracts.md 7: sha256 of the last user text, then the upstream model."""
    questions.write_replay(tmp_path / "replay.json.gz")
    replay = json.loads(gzip.decompress((tmp_path / "replay.json.gz").read_bytes()))
    row = questions.load()[7]
    recorded = replay[hashlib.sha256(row.prompt.encode()).hexdigest()]
    assert len(replay) == 290
    for model, answer in row.answers.items():
        assert recorded[model] == {"answer": answer.text, "chars": answer.chars}


def test_outcomes_cost_what_the_simulator_bills() -> None:
    """Tokens are ceil(characters / 4) on both sides; prices are picodollars per token."""
    row = questions.load()[0]
    answer = row.answers["gpt-4o-2024-08-06"]
    found = questions.outcome(row, "gpt-4o-2024-08-06", Price(2_500_000, 10_000_000))
    prompt_tokens, answer_tokens = -(-len(row.prompt) // 4), -(-answer.chars // 4)
    assert found.cost == prompt_tokens * 2_500_000 + answer_tokens * 10_000_000
    assert found.correct == float(answer.correct)
    both = questions.singles([row], {"gpt-4o-2024-08-06": Price(2_500_000, 10_000_000)})
    assert both == {"gpt-4o-2024-08-06": [found]}


def test_listed_prices_are_the_catalogues() -> None:
    """The demo's prices are not made up: each is what the bundled catalogue says."""
    for offer in OFFERS:
        entry = catalogue.bundled().lookup(offer["label"], offer["upstream"])
        assert entry is not None, offer["upstream"]
        assert entry.input == round(float(offer["inputPerMTok"]) * 1_000_000)
        assert entry.output == round(float(offer["outputPerMTok"]) * 1_000_000)
