"""Load the demo's questions, and write them as the simulator's replay file."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pointsman_operator.demo_data.scoring import Outcome

FILE: Final = files("pointsman_operator.demo_data") / "questions.json.gz"
"""Questions with the recorded answers of the demo's models."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model answered: the final answer, whether it was right, length in characters."""

    text: str
    correct: bool
    chars: int

    @property
    def tokens(self) -> int:
        """As the simulator bills them: ceil(characters / 4)."""
        return -(-self.chars // 4)


@dataclass(frozen=True, slots=True)
class Question:
    """One recorded question; `answers` by upstream model id."""

    name: str
    task: str
    prompt: str
    gold: str
    answers: Mapping[str, Answer]

    @property
    def tokens(self) -> int:
        """As the simulator bills them: ceil(characters / 4) of the prompt alone."""
        return -(-len(self.prompt) // 4)

    @property
    def key(self) -> str:
        """The question's key in the replay file: sha256 of the prompt as it is sent."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Price:
    """Picodollars per token."""

    input: int
    output: int


@cache
def load() -> tuple[Question, ...]:
    """All questions, in the record's order."""
    document: dict[str, Any] = json.loads(gzip.decompress(FILE.read_bytes()))
    return tuple(
        Question(
            name=row["name"],
            task=row["task"],
            prompt=row["prompt"],
            gold=row["gold"],
            answers={
                model: Answer(text=text, correct=bool(correct), chars=chars)
                for model, (text, correct, chars) in row["answers"].items()
            },
        )
        for row in document["questions"]
    )


def write_replay(path: Path) -> None:
    """Write what the simulator's `replay` reads (docs/contracts.md 7)."""
    document = {
        question.key: {
            model: {"answer": answer.text, "chars": answer.chars}
            for model, answer in question.answers.items()
        }
        for question in load()
    }
    path.write_bytes(gzip.compress(json.dumps(document).encode(), mtime=0))


def outcome(question: Question, model: str, price: Price) -> Outcome:
    """What `model` did on `question`, and what the simulator bills for it.

    Raises KeyError for a model that the record does not have.
    """
    answer = question.answers[model]
    cost = question.tokens * price.input + answer.tokens * price.output
    return Outcome(correct=float(answer.correct), cost=float(cost))


def singles(questions: Sequence[Question], prices: Mapping[str, Price]) -> dict[str, list[Outcome]]:
    """Every priced model's outcomes on these questions: the policies that use one model only."""
    return {
        model: [outcome(question, model, price) for question in questions]
        for model, price in prices.items()
    }
