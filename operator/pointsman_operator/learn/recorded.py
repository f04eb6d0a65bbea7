"""Recorded questions and answers of `zeroeval_*.csv.gz`, and the split that keeps the demo's apart.

Buckets 0-3 are for training, bucket 4 is the demo's; 5-9 are not in the files.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TRAINING: Final = frozenset({0, 1, 2, 3})
"""Buckets that heads are fitted on."""

DEMO: Final = 4
"""The bucket that nothing is ever fitted on."""

_OUTSIDE: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what each model did: `correct`, `chars` and `answer` by column."""

    name: str
    task: str
    prompt: str
    gold: str
    correct: dict[str, bool]
    chars: dict[str, int]
    answer: dict[str, str]


def prompt_hash(prompt: str) -> str:
    """sha256 of the prompt in lower case, every run outside [a-z0-9] one space, stripped."""
    return hashlib.sha256(_OUTSIDE.sub(" ", prompt.lower()).strip().encode()).hexdigest()


def bucket(digest: str) -> int:
    """The split's bucket, 0-9, of a `prompt_hash`."""
    return int(digest, 16) % 10


def read(folder: Path) -> list[Question]:
    """All questions of the three tasks, in the file's order.

    Raises FileNotFoundError where a file is missing, ValueError where the files disagree.
    """
    prompts = _table(folder / "zeroeval_prompts.csv.gz")
    columns = [_table(folder / f"zeroeval_{name}.csv.gz") for name in ("correct", "out_chars")]
    answers = _table(folder / "zeroeval_answer.csv.gz")
    if any([row["id"] for row in rows] != [row["id"] for row in prompts] for rows in columns):
        raise ValueError("the zeroeval files have different rows")
    by_id = {row["id"]: row for row in answers}
    questions = []
    for prompt, correct, chars in zip(prompts, *columns, strict=True):
        name = prompt["id"]
        questions.append(
            Question(
                name=name,
                task=prompt["task"],
                prompt=prompt["prompt"],
                gold=prompt["gold"],
                correct={m: v == "1" for m, v in correct.items() if m != "id" and v},
                chars={m: int(float(v)) for m, v in chars.items() if m != "id" and v},
                answer={m: v for m, v in by_id[name].items() if m != "id" and v},
            )
        )
    return questions


def _table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
