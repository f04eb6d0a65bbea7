"""Write the demo's questions: bucket 4 of the record, with the answers of the demo's models."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from pointsman_operator.learn import recorded, shipped

SOURCE = "WildEval/ZeroEval 8c1485e (GSM8K, CRUXEval, MATH level 5), bucket 4"


def write(data: Path, out: Path) -> int:
    """Read `data` (the folder of `zeroeval_*.csv.gz`), write `questions.json.gz` into `out`.

    Returns the number of questions. Raises FileNotFoundError where a file is missing.
    """
    columns = {offer["upstream"]: offer["column"] for offer in shipped.demo_offers()}
    rows = [
        {
            "name": question.name,
            "task": question.task,
            "prompt": question.prompt,
            "gold": question.gold,
            "answers": {
                upstream: [
                    question.answer.get(column, ""),
                    int(question.correct[column]),
                    question.chars[column],
                ]
                for upstream, column in columns.items()
            },
        }
        for question in recorded.read(data)
        if recorded.bucket(recorded.prompt_hash(question.prompt)) == recorded.DEMO
    ]
    document = {"source": SOURCE, "licence": "Apache-2.0; prompts MIT", "questions": rows}
    packed = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    out.mkdir(parents=True, exist_ok=True)
    (out / "questions.json.gz").write_bytes(gzip.compress(packed, 9, mtime=0))
    return len(rows)
